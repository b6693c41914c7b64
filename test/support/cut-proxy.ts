// A TCP proxy in front of a server, that a test can make silent (a network that loses everything) or let cut a
// connection right after a certain text has been passed on.
import { connect, createServer, type Server, type Socket } from 'node:net';

export class CutProxy {
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private silent = false;
  private cutAfter: string | null = null;

  private constructor(private readonly targetPort: number) {
    this.server = createServer((client) => this.join(client));
  }

  static async open(targetPort: number): Promise<CutProxy> {
    const proxy = new CutProxy(targetPort);
    await new Promise<void>((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  /** From now on nothing passes, in either direction, and nobody is told. */
  silence(): void {
    this.silent = true;
    for (const socket of this.sockets) socket.pause();
  }

  /** New connections pass again; the silenced ones end. */
  restore(): void {
    this.silent = false;
    for (const socket of this.sockets) socket.destroy();
  }

  /** Passes the next request that contains the text on, and ends its connection before the answer. */
  cutAnswerOf(text: string): void {
    this.cutAfter = text;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private join(client: Socket): void {
    const target = connect(this.targetPort, '127.0.0.1');
    let isCut = false;
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.sockets.delete(from);
        // What was sent before a cut still arrives.
        if (!isCut) to.destroy();
      });
    }
    client.on('data', (data) => {
      target.write(data);
      if (this.cutAfter === null || !data.includes(this.cutAfter)) return;
      this.cutAfter = null;
      isCut = true;
      client.destroy();
      // The server has read the request before it meets this end.
      target.end();
    });
    target.on('data', (data) => {
      if (!isCut) client.write(data);
    });
    if (this.silent) for (const socket of [client, target]) socket.pause();
  }
}
