// Messages over a socket, one a line of JSON. Both ends are ours: what comes is of the type that the other end sends.
import type { Socket } from 'node:net';

/** Calls back for each message until the socket closes. */
export function readMessages<Message>(socket: Socket, take: (message: Message) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk) => {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    // Written by sendMessage of the same build of this program.
    for (const line of lines) take(JSON.parse(line) as Message);
  });
}

export function sendMessage<Message>(socket: Socket, message: Message): void {
  if (!socket.destroyed) socket.write(`${JSON.stringify(message)}\n`);
}
