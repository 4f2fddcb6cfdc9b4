/** A TCP relay that can be cut: what is behind it is then away for those who go through it, and for nobody else. */
import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';

export class Relay {
  readonly #server: net.Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** @param target `host:port` */
  static async open(target: string): Promise<Relay> {
    const [host = '', port = ''] = target.split(':');
    const server = net.createServer();
    const relay = new Relay(server);
    server.on('connection', (socket) => relay.#join(socket, net.connect(Number(port), host)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Ends all connections, and each new one at once. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(one: Socket, other: Socket): void {
    for (const [socket, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        peer.destroy();
      });
    }
    if (this.#isCut) one.destroy();
    else one.pipe(other).pipe(one);
  }
}
