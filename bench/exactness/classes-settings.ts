// Classes of queries over cities, and over indexes with settings of their own.
import { EQUAL_COUNTS } from './classes-sorts.js';
import { DERIVATIONS, LAST_FIRST } from './classes-words.js';
import { classOf, type Draw, type QueryClass } from './query-class.js';

interface Point {
  lat: number;
  lng: number;
}

function near(draw: Draw): Point {
  const { lat, lng } = draw.value('_geo') as Point;
  return {
    lat: Math.min(89, Math.round((lat + 0.01) * 1e4) / 1e4),
    lng: Math.round((lng - 0.02) * 1e4) / 1e4,
  };
}

const pointText = (draw: Draw): string => {
  const { lat, lng } = near(draw);
  return `_geoPoint(${lat}, ${lng})`;
};

function geoFilter(draw: Draw): string {
  const { lat, lng } = near(draw);
  const [south, west] = [Math.max(-85, lat - 4), Math.max(-179, lng - 6)];
  const [north, east] = [Math.min(85, lat + 4), Math.min(179, lng + 6)];
  return draw.turn([
    `_geoRadius(${lat}, ${lng}, 400000)`,
    `_geoBoundingBox([${north}, ${east}], [${south}, ${west}])`,
    `_geoRadius(${lat}, ${lng}, 900000) AND height < 900`,
  ]);
}

export const CITY_CLASSES: readonly QueryClass[] = [
  classOf('cities', 'geo ascending', (draw) => ({
    sort: [`${pointText(draw)}:asc`],
    limit: 15,
    offset: draw.turn([0, 0, 200]),
  })),
  classOf('cities', 'geo descending', (draw) => ({ sort: [`${pointText(draw)}:desc`], limit: 15 })),
  classOf('cities', 'geo, then others', (draw) => ({
    q: draw.turn(['', String(draw.value('name')).slice(0, 5)]),
    sort: draw.turn([
      [`${pointText(draw)}:asc`, 'name:asc'],
      ['country:asc', `${pointText(draw)}:asc`],
    ]),
    filter: `country = "${draw.value('country')}"`,
    attributesToRetrieve: ['name', 'id'],
  })),
  classOf('cities', 'geo filter', (draw) => ({ filter: geoFilter(draw), sort: ['height:asc'], limit: 12 })),
  classOf('cities', 'geo filter and words', (draw) => ({
    q: String(draw.value('name')).slice(0, 4),
    filter: geoFilter(draw),
    facets: ['country'],
  })),
  classOf('cities', 'city name', (draw) => ({ q: String(draw.value('name')) })),
  classOf('cities', 'city by string', (draw) => ({
    sort: [`name${draw.pick([':asc', ':desc'])}`],
    offset: draw.pick([0, 200, 900]),
  })),
  classOf(
    'cities',
    'city facets by count',
    (draw) => ({
      facets: draw.turn([['country', 'letter'], ['region'], ['height'], ['*']]),
      filter: draw.turn([`height < ${draw.pick([300, 900])}`, null]),
      limit: 1,
    }),
    { otherCause: EQUAL_COUNTS },
  ),
];

const EXACT_ATTRIBUTES =
  'a node tolerates typos towards words of its other attributes only, and then ranks by their place in any attribute';

export const SETTING_CLASSES: readonly QueryClass[] = [
  classOf('before', 'custom rules first', (draw) => ({
    q: draw.turn(['', draw.common(), draw.neighbours(2)]),
    sort: draw.turn([undefined, ['size:desc']]),
    showRankingScore: draw.at % 2 === 0,
  })),
  classOf(
    'before',
    'frequency, custom rules first',
    (draw) => ({ q: `${draw.common()} ${draw.any()} ${draw.common()}`, matchingStrategy: 'frequency' }),
    { notInEngine: LAST_FIRST },
  ),
  classOf('tuned', 'custom rules last', (draw) => ({
    q: draw.turn([draw.common(), draw.neighbours(2), '']),
    showRankingScoreDetails: draw.at % 3 === 0,
  })),
  classOf('tuned', 'synonyms', (draw) => ({
    q: draw.turn([
      'person',
      `human ${draw.common()}`,
      'large person',
      `small ${draw.common()}`,
      'water',
      `${draw.common()} big`,
      'liquid substance',
      `${draw.common()} tiny`,
    ]),
  })),
  classOf('tuned', 'stop words', (draw) => ({
    q: draw.turn([
      `the ${draw.common()}`,
      `${draw.common()} of the ${draw.common()}`,
      `"${draw.neighbours(3)}"`,
      `${draw.common()} in ${draw.common()} by`,
    ]),
  })),
  classOf(
    'typos',
    'typo settings',
    (draw) => ({
      q: draw.turn([
        draw.mistyped(5),
        'persan',
        'anmal',
        draw.mistyped(7),
        `${draw.common()} ${draw.value('serial')}`,
      ]),
    }),
    { notExact: DERIVATIONS },
  ),
  classOf(
    'exactly',
    'exact attributes',
    (draw) => ({
      q: draw.turn([
        String(draw.value('word')),
        `${draw.value('word')} ${draw.common()}`,
        draw.mistyped(),
        draw.common(),
      ]),
      attributesToSearchOn: draw.turn([undefined, undefined, ['word'], ['gloss']]),
    }),
    { notExact: EXACT_ATTRIBUTES },
  ),
  classOf('tuned', 'localized attributes', (draw) => ({
    q: draw.turn([draw.common(), draw.neighbours(2)]),
    locales: draw.turn([['eng'], undefined, ['fra', 'eng']]),
  })),
  classOf('tuned', 'capped total', (draw) => ({
    q: draw.turn([draw.common(), '']),
    ...draw.turn([{ offset: 100, limit: 40 }, { page: 3, hitsPerPage: 50 }, { limit: 500 }]),
    attributesToRetrieve: ['word'],
  })),
];
