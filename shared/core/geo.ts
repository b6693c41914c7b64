// Distances as Meilisearch computes them: haversine on a sphere, in metres.

const EARTH_RADIUS_METRES = 6_371_000;

export type Point = readonly [lat: number, lng: number];

/**
 * The distance in metres between two points in degrees, rounded to millimetres. It takes 1 - cos for the half angles,
 * imprecise below some decimetres, because Meilisearch does: a better formula would order neighbours differently.
 */
export function haversineMetres(from: Point, to: Point): number {
  const fromLat = toRadians(from[0]);
  const toLat = toRadians(to[0]);
  const overLat = halfVersine(toLat - fromLat);
  const overLng = Math.cos(fromLat) * Math.cos(toLat) * halfVersine(toRadians(to[1]) - toRadians(from[1]));
  const metres = 2 * EARTH_RADIUS_METRES * Math.asin(Math.sqrt(overLat + overLng));
  return Math.round(metres * 1000) / 1000;
}

function toRadians(degrees: number): number {
  return degrees * (Math.PI / 180);
}

function halfVersine(angle: number): number {
  return (1 - Math.cos(angle)) / 2;
}

/** The point in a `_geo` value: numbers or numeric strings; null when there is none. */
export function readGeo(value: unknown): Point | null {
  if (value === null || typeof value !== 'object') return null;
  const { lat, lng } = value as { lat?: unknown; lng?: unknown };
  const point: Point = [readDegrees(lat), readDegrees(lng)];
  return Number.isNaN(point[0]) || Number.isNaN(point[1]) ? null : point;
}

function readDegrees(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && value.trim() !== '') return Number(value);
  return Number.NaN;
}
