/** Ports on the loopback interface. */
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** `preferred` if nothing listens there, else a free port. */
export async function freePort(preferred: number): Promise<number> {
  const server = createServer();
  server.listen(preferred, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    if (preferred === 0) throw error;
    return freePort(0);
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
