// The layout's rules, held by reading every source file: who may import whom, names, length.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDERS = [
  'shared',
  'workflows',
  'activities',
  'worker',
  'proxy',
  'ctl',
  'engine',
  'up',
  'bench',
  'test',
];
const LONGEST_FILE = 400;
const BANNED = /(^|-)(managers?|helpers?|utils?|services?|handlers?|base|abstract|common|v2)(-|\.|$)/;

interface Import {
  from: string;
  /** A path inside the project, or a package's name. */
  to: string;
  isLocal: boolean;
  typeOnly: boolean;
}

interface Source {
  path: string;
  text: string;
  imports: Import[];
}

const sources: Source[] = FOLDERS.flatMap((folder) => listFiles(join(ROOT, folder))).map((file) => {
  const path = relative(ROOT, file).split(sep).join('/');
  const text = readFileSync(file, 'utf8');
  return { path, text, imports: readImports(path, text) };
});
const product = sources.filter((source) => !source.path.startsWith('test/'));

describe('imports', () => {
  test('are read at all', () => {
    expect(sources.length).toBeGreaterThan(30);
    expect(sources.flatMap((source) => source.imports).length).toBeGreaterThan(100);
    const shapes = readImports(
      'proxy/a.ts',
      "import x from 'undici';\nimport type { Y } from '../shared/io/store.js';\nexport * from './b.js';\n" +
        "import {\n  type A,\n  b,\n} from './c.js';\nconst d = await import('./d.js');\nimport './e.js';\n",
    );
    expect(shapes.map(({ to, typeOnly }) => [to, typeOnly])).toEqual([
      ['undici', false],
      ['shared/io/store', true],
      ['proxy/b', false],
      ['proxy/c', false],
      ['proxy/e', false],
      ['proxy/d', false],
    ]);
  });

  test('shared/core imports shared/core only', () => {
    expect(offenders('shared/core/', ({ to, isLocal }) => isLocal && to.startsWith('shared/core/'))).toEqual(
      [],
    );
  });

  test('shared/core has no clock, no random, no process', () => {
    const impure =
      /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|setTimeout|setInterval|process\.|Buffer\.)/;
    const found = inFolder('shared/core/').filter(({ text }) => impure.test(withoutComments(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });

  test('shared/io never imports upward', () => {
    expect(offenders('shared/io/', ({ to, isLocal }) => !isLocal || to.startsWith('shared/'))).toEqual([]);
  });

  test('workflows import the core, the workflow SDK and types only', () => {
    const allowed = ({ to, isLocal, typeOnly }: Import) =>
      (isLocal && (to.startsWith('workflows/') || to.startsWith('shared/core/'))) ||
      // Keys of search attributes are defined by the SDK's common part, which is made for workflows too.
      to === '@temporalio/workflow' ||
      to === '@temporalio/common' ||
      (typeOnly && to.startsWith('activities/'));
    expect(offenders('workflows/', allowed)).toEqual([]);
  });

  test('activities do not import programs or workflow code', () => {
    const allowed = ({ to, isLocal, typeOnly }: Import) =>
      !isLocal ||
      to.startsWith('activities/') ||
      to.startsWith('shared/') ||
      to === 'workflows/messages' ||
      (typeOnly && to.startsWith('workflows/'));
    expect(offenders('activities/', allowed)).toEqual([]);
  });

  test('the proxy imports shared code and the messages of workflows only', () => {
    const allowed = ({ to, isLocal }: Import) =>
      !isLocal || to.startsWith('proxy/') || to.startsWith('shared/') || to === 'workflows/messages';
    expect(offenders('proxy/', allowed)).toEqual([]);
  });

  test('ctl speaks HTTP only: nothing of the store, of nodes or of Temporal', () => {
    const allowed = ({ to, isLocal, typeOnly }: Import) =>
      isLocal
        ? to.startsWith('ctl/') || to.startsWith('shared/core/') || typeOnly
        : !to.startsWith('@temporalio/') && to !== 'libsql' && to !== 'pg';
    expect(offenders('ctl/', allowed)).toEqual([]);
  });

  test('the engine stands alone, but for the core and logs', () => {
    const allowed = ({ to, isLocal }: Import) =>
      !isLocal || to.startsWith('engine/') || to.startsWith('shared/');
    expect(offenders('engine/', allowed)).toEqual([]);
  });

  test('nothing of the product imports tests or the bench', () => {
    const found = product.filter(({ path }) => !path.startsWith('bench/')).flatMap(({ imports }) => imports);
    expect(found.filter(({ to, isLocal }) => isLocal && /^(test|bench)\//.test(to))).toEqual([]);
  });

  test('only main files construct stores and connections to Temporal', () => {
    const constructing = /\b(openStore|NativeConnection\.connect|Worker\.create)\(/;
    const found = product
      .filter(({ path }) => !/(^|\/)main\.ts$/.test(path) && !path.startsWith('bench/'))
      .filter(({ path }) => !path.startsWith('shared/io/'))
      .filter(({ text }) => constructing.test(withoutComments(text)));
    expect(found.map(({ path }) => path)).toEqual([]);
  });
});

describe('files', () => {
  test('have kebab-case names', () => {
    const odd = sources.filter(
      ({ path }) => !/^([a-z0-9-]+\/)*[a-z0-9]+(-[a-z0-9]+)*(\.test|\.d)?\.ts$/.test(path),
    );
    expect(odd.map(({ path }) => path)).toEqual([]);
  });

  test('have no banned word in their names', () => {
    const odd = sources.filter(({ path }) =>
      path.split('/').some((part) => BANNED.test(part.replace(/\.ts$/, ''))),
    );
    expect(odd.map(({ path }) => path)).toEqual([]);
    expect(BANNED.test('store-utils')).toBe(true);
    expect(BANNED.test('database')).toBe(false);
  });

  test('declare nothing with a banned word in its name', () => {
    const banned =
      /\b(?:class|interface|type|function|const)\s+(\w*(?:Manager|Helper|Service|Abstract|Utils?|V2)\b\w*)/g;
    const found = product.flatMap(({ path, text }) =>
      [...text.matchAll(banned)].map((match) => `${path}: ${match[1]}`),
    );
    expect(found).toEqual([]);
  });

  test(`are at most ${LONGEST_FILE} lines long`, () => {
    const long = sources.filter(({ text }) => text.split('\n').length - 1 > LONGEST_FILE);
    // The port is one list of methods; splitting it would hide what a driver must do.
    expect(long.map(({ path }) => path).filter((path) => path !== 'shared/io/store.ts')).toEqual([]);
  });

  test('open with a comment that states their promise', () => {
    const bare = product.filter(({ text }) => !/^(#!.*\n)?\/[/*]/.test(text));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });
});

function inFolder(folder: string): Source[] {
  const found = sources.filter(({ path }) => path.startsWith(folder));
  expect(found.length, `${folder} has files`).toBeGreaterThan(0);
  return found;
}

function offenders(folder: string, allowed: (one: Import) => boolean): string[] {
  return inFolder(folder)
    .flatMap(({ imports }) => imports)
    .filter((one) => !allowed(one))
    .map(({ from, to }) => `${from} imports ${to}`);
}

function readImports(path: string, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean) => {
    const isLocal = specifier.startsWith('.');
    const to = isLocal
      ? normalize(join(dirname(path), specifier))
          .split(sep)
          .join('/')
          .replace(/\.js$/, '')
      : specifier;
    found.push({ from: path, to, isLocal, typeOnly });
  };
  const code = withoutComments(text);
  for (const match of code.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^'\n]+)'/gm,
  )) {
    add(match[2]!, match[1] !== undefined);
  }
  for (const match of code.matchAll(/\bimport\(\s*'([^'\n]+)'\s*\)/g)) add(match[1]!, false);
  return found;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return listFiles(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}
