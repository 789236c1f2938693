import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { listenOnSocket, prepareSocket } from './unix-socket.ts';

let directory: string;
let servers: Server[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-sock-'));
  servers = [];
});
afterEach(async () => {
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve()))),
  );
  rmSync(directory, { recursive: true, force: true });
});

const server = (): Server => {
  const made = createServer();
  servers.push(made);
  return made;
};
const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8);

/** A socket whose server is gone: a second name for it outlives the close. */
async function deadSocket(path: string): Promise<void> {
  const gone = createServer();
  await listenOnSocket(gone, `${path}.x`);
  linkSync(`${path}.x`, path);
  await new Promise<void>((resolve) => void gone.close(() => resolve()));
}

describe('prepareSocket', () => {
  test('makes the directory 0700, and leaves one of ours as it is', async () => {
    await prepareSocket(join(directory, 'run', 'agent.sock'));
    expect(mode(join(directory, 'run'))).toBe('700');
    chmodSync(join(directory, 'run'), 0o755);
    await prepareSocket(join(directory, 'run', 'agent.sock'));
    expect(mode(join(directory, 'run'))).toBe('755');
  });

  test.each([0o777, 0o1777, 0o720, 0o702])(
    'refuses a directory of mode %o that others can write to',
    async (bits) => {
      const run = join(directory, 'run');
      mkdirSync(run);
      chmodSync(run, bits);
      const path = join(run, 'agent.sock');
      await expect(prepareSocket(path)).rejects.toThrow(
        `Cannot listen on "${path}": its directory can be written to by others (mode 0${(bits & 0o777).toString(8)})`,
      );
    },
  );

  // Only root may give a directory away; others cannot set this up.
  (process.geteuid?.() === 0 ? test : test.skip)('refuses a directory of another user', async () => {
    const run = join(directory, 'run');
    mkdirSync(run, { mode: 0o700 });
    chownSync(run, 65534, 65534);
    await expect(prepareSocket(join(run, 'a.sock'))).rejects.toThrow(
      'its directory belongs to user 65534, this is user 0',
    );
  });

  test('says which socket it is whose directory cannot be made', async () => {
    writeFileSync(join(directory, 'file'), '');
    const path = join(directory, 'file', 'run', 's');
    await expect(prepareSocket(path)).rejects.toThrow(
      `Cannot listen on "${path}": its directory cannot be made: ENOTDIR`,
    );
  });

  test('refuses a directory that is a symbolic link, or none', async () => {
    mkdirSync(join(directory, 'real'), { mode: 0o700 });
    symlinkSync('real', join(directory, 'link'));
    await expect(prepareSocket(join(directory, 'link', 'a.sock'))).rejects.toThrow(
      'its directory is a symbolic link',
    );
    writeFileSync(join(directory, 'file'), '');
    await expect(prepareSocket(join(directory, 'file', 'a.sock'))).rejects.toThrow('EEXIST');
  });

  test('removes a socket on which nobody answers', async () => {
    const path = join(directory, 'agent.sock');
    await deadSocket(path);
    expect(statSync(path).isSocket()).toBe(true);
    await prepareSocket(path);
    expect(existsSync(path)).toBe(false);
  });

  test('leaves a live server its socket', async () => {
    const path = join(directory, 'agent.sock');
    await listenOnSocket(server(), path);
    await expect(prepareSocket(path)).rejects.toThrow(
      `Cannot listen on "${path}": another server answers there`,
    );
    expect(existsSync(path)).toBe(true);
  });

  test('removes nothing but sockets', async () => {
    const path = join(directory, 'agent.sock');
    writeFileSync(path, 'precious');
    await expect(prepareSocket(path)).rejects.toThrow('something that is not a socket is there');
    expect(existsSync(path)).toBe(true);
  });

  test('says that a path is too long before the kernel cuts it', async () => {
    await expect(prepareSocket(join(directory, 'ü'.repeat(50)))).rejects.toThrow(
      /the path has 1\d\d bytes, a socket's has at most 107/,
    );
  });
});

describe('listenOnSocket', () => {
  test('the socket is 0600 whatever the umask, which is left as it was; closing removes it', async () => {
    const path = join(directory, 'agent.sock');
    const before = process.umask(0o000);
    try {
      await listenOnSocket(server(), path);
      expect(process.umask()).toBe(0o000);
    } finally {
      process.umask(before);
    }
    expect(mode(path)).toBe('600');
    await new Promise<void>((resolve) => void servers.pop()?.close(() => resolve()));
    expect(existsSync(path)).toBe(false);
  });

  test('a path that is taken is an error', async () => {
    const path = join(directory, 'agent.sock');
    writeFileSync(path, '');
    const before = process.umask();
    await expect(listenOnSocket(server(), path)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(process.umask()).toBe(before);
  });
});
