// A PostgreSQL server for tests, from the programs of the system's package: a folder of its own, a free port, an owner
// that is not root (initdb refuses root).
import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, TestProcess } from './process.js';

export const NO_POSTGRES =
  'no PostgreSQL server found (install Debian\'s package "postgresql", or set MIROIR_POSTGRES_BIN to the folder of initdb)';
const DEBIAN = '/usr/lib/postgresql';
const START_MS = 60_000;

/** The folder of initdb, postgres and pg_dump, or null. */
export function findPostgres(): string | null {
  const folders = [
    ...(process.env.MIROIR_POSTGRES_BIN ? [process.env.MIROIR_POSTGRES_BIN] : []),
    ...(existsSync(DEBIAN) ? readdirSync(DEBIAN) : [])
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return (
    folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres'))) ??
    null
  );
}

export class PostgresServer {
  private constructor(
    readonly bin: string,
    readonly port: number,
    readonly process: TestProcess,
    private readonly folder: string,
  ) {}

  /** Starts a server; null where the machine has none. `durable` keeps fsync, which most tests do without. */
  static async start(options: { durable?: boolean } = {}): Promise<PostgresServer | null> {
    const bin = findPostgres();
    if (bin === null) return null;
    const folder = mkdtempSync(join(tmpdir(), 'miroir-postgres-'));
    const owner = ownerOf();
    if (owner) chownSync(folder, owner.uid, owner.gid);
    const data = join(folder, 'data');
    const init = spawnSync(
      join(bin, 'initdb'),
      ['-D', data, '-U', 'miroir', '--auth=trust', '--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'],
      { ...owner, cwd: folder, encoding: 'utf8' },
    );
    if (init.status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      throw new Error(`initdb failed: ${init.stdout}${init.stderr}`);
    }
    const port = await freePort();
    const settings = [
      'listen_addresses=127.0.0.1',
      `unix_socket_directories=${folder}`,
      `port=${port}`,
      `fsync=${options.durable ? 'on' : 'off'}`,
      'max_connections=200',
      'shared_buffers=64MB',
    ];
    const child = new TestProcess({
      name: 'postgres',
      command: join(bin, 'postgres'),
      args: ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
      cwd: folder,
      ...owner,
    });
    const server = new PostgresServer(bin, port, child, folder);
    await server.launch();
    return server;
  }

  url(database = 'postgres', host = '127.0.0.1', port = this.port): string {
    return `postgres://miroir@${host}:${port}/${database}`;
  }

  /** Starts it (again) and waits until it takes connections. */
  async launch(): Promise<void> {
    this.process.start();
    const untilMs = performance.now() + START_MS;
    while (this.tool('pg_isready', ['-q', '-h', '127.0.0.1', '-p', String(this.port)]).status !== 0) {
      if (!this.process.isRunning() || performance.now() > untilMs)
        throw new Error(`PostgreSQL did not start\n${this.process.tail()}`);
      await sleep(30);
    }
  }

  /** Runs one of the package's programs as the server's owner. */
  tool(name: string, args: readonly string[]): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(join(this.bin, name), args, { encoding: 'utf8', cwd: this.folder, maxBuffer: 1 << 28 });
  }

  /** SIGINT is PostgreSQL's fast shutdown: connections are ended, nothing is waited for. */
  async stop(): Promise<void> {
    await this.process.end('SIGINT');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Whom the server runs as, when this process is root. */
function ownerOf(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('PostgreSQL does not run as root, and there is no user postgres or nobody');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
