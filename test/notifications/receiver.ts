/** A receiver of posts: an HTTP server on the loopback that keeps what it gets. */
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { closeServer, listenOnLoopback, originOf } from '../support/loopback.ts';

export interface Post {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Receiver {
  url: string;
  posts: Post[];
  close(): Promise<void>;
}

/** What becomes of a post: `posts` has it already. */
export type Reaction = (response: Parameters<RequestListener>[1], post: Post) => void | Promise<void>;

export async function startReceiver(react: Reaction): Promise<Receiver> {
  const posts: Post[] = [];
  const receive = async (...[request, response]: Parameters<RequestListener>): Promise<void> => {
    const post = { path: request.url ?? '', headers: request.headers, body: await text(request) };
    posts.push(post);
    await react(response, post);
  };
  const server = createServer((request, response) => {
    receive(request, response).catch(() => response.destroy());
  });
  await listenOnLoopback(server);
  return { url: originOf(server), posts, close: () => closeServer(server) };
}

/** Answers with this status. */
export const answer =
  (status: number, body = '', headers: Record<string, string> = {}): Reaction =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };
