// Points and distances on the earth, as Meilisearch measures them.
import type { IndexData } from './index-data.js';

export interface Point {
  latitude: number;
  longitude: number;
}

/** Haversine with the mean radius of the earth. */
export function distanceMeters(from: Point, to: Point): number {
  const radians = Math.PI / 180;
  const half = (degrees: number) => Math.sin((degrees * radians) / 2) ** 2;
  const a =
    half(to.latitude - from.latitude) +
    Math.cos(from.latitude * radians) * Math.cos(to.latitude * radians) * half(to.longitude - from.longitude);
  return 2 * 6_371_008.8 * Math.asin(Math.sqrt(a));
}

/** The `_geo` of a document, where it has one and `_geo` is filterable or sortable. */
export function geoPoint(index: IndexData, document: number): Point | null {
  const coordinate = (name: string): number => {
    const values = index.valuesOf(document, `_geo.${name}`);
    return values?.numbers[0] ?? Number.parseFloat(values?.strings[0] ?? '');
  };
  const point = { latitude: coordinate('lat'), longitude: coordinate('lng') };
  return Number.isNaN(point.latitude) || Number.isNaN(point.longitude) ? null : point;
}
