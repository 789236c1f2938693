// Readies the place of a unix socket: a directory that nobody else can write to, and no dead socket in it. It does not
// listen.
import { chmodSync, lstatSync, mkdirSync, rmSync, type Stats } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { dirname } from 'node:path';
import { errorCode, errorMessage } from './error-text.ts';

// struct sockaddr_un, linux/un.h: 108 bytes with the closing zero.
const longestPath = 107;

/**
 * Makes the socket's directory (0700) if it is missing, refuses one that is not ours or that others can write to, and
 * removes a socket on which nobody answers. Rejects if a live server answers there, or if the path is something else.
 * Two servers that start on one dead socket in the same instant are not told apart: one of them loses it.
 */
export async function prepareSocket(path: string): Promise<void> {
  const refuse = (why: string): Error => new Error(`Cannot listen on "${path}": ${why}`);
  const length = Buffer.byteLength(path);
  if (length > longestPath)
    throw refuse(`the path has ${length} bytes, a socket's has at most ${longestPath}`);
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw refuse(`its directory cannot be made: ${errorMessage(error)}`);
  }
  const why = unsafe(lstatSync(directory));
  if (why !== undefined) throw refuse(`its directory ${why}`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw refuse('something that is not a socket is there');
  const answer = await connect(path);
  if (answer === 'connected') throw refuse('another server answers there');
  if (answer !== 'ECONNREFUSED' && answer !== 'ENOENT')
    throw refuse(`the socket there cannot be tried (${answer})`);
  rmSync(path, { force: true });
}

function unsafe(directory: Stats): string | undefined {
  if (directory.isSymbolicLink()) return 'is a symbolic link';
  if (!directory.isDirectory()) return 'is not a directory';
  const user = process.geteuid?.();
  if (directory.uid !== user) return `belongs to user ${directory.uid}, this is user ${user}`;
  const mode = directory.mode & 0o777;
  return (mode & 0o022) === 0 ? undefined : `can be written to by others (mode 0${mode.toString(8)})`;
}

function connect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    const end = (answer: string): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end('connected'));
    socket.once('error', (error) => end(errorCode(error) ?? error.message));
  });
}

/** Binds and listens with mode 0600, after `prepareSocket`. Closing the server removes the socket. */
export function listenOnSocket(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The bind happens within the call. The umask is the whole process's, so what other threads make meanwhile gets it
    // too: 077 still lets their directories be entered, which 0177 would not; the missing bit is taken away below.
    const umask = process.umask(0o077);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
    if (server.listening) chmodSync(path, 0o600);
  });
}
