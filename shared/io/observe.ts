// Logs: one JSON line per event on stderr, so that stdout stays for what a program has to say. Keys are redacted.
import { type DestinationStream, destination, type Logger, pino } from 'pino';

const SECRETS = [
  'authorization',
  'adminKey',
  'dataKey',
  'masterKey',
  'adminApiKey',
  'nodeMasterKey',
  'apiKey',
];

/** A logger for one program. `destinationStream` is for tests. */
export function createLogger(
  options: { name: string; level: string },
  destinationStream?: DestinationStream,
): Logger {
  return pino(
    {
      name: options.name,
      level: options.level,
      redact: {
        paths: [
          ...SECRETS,
          ...SECRETS.map((key) => `*.${key}`),
          'req.headers.authorization',
          'headers.authorization',
          'secrets.*.adminKey',
          'secrets.*.dataKey',
        ],
        censor: '[redacted]',
      },
    },
    destinationStream ?? destination({ dest: 2, sync: true }),
  );
}
