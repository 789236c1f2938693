// How a store is reached (store/source-status.ts), as a line of `netloom status`. Pure.
import { z } from 'zod';

const directoryShape = z.object({
  directory: z.string(),
  by: z.enum(['notify', 'poll']),
  fileSystem: z.string().nullable(),
  pollMs: z.number().nullable(),
});

const serverShape = z.object({
  kind: z.enum(['etcd', 'kubernetes']),
  servers: z.array(z.string()),
  connected: z.boolean(),
  problem: z.string().nullable(),
});

export const followedShape = z.union([serverShape, directoryShape]);

export function followedText(followed: z.infer<typeof followedShape>): string {
  if ('servers' in followed) {
    const { kind, servers, connected, problem } = followed;
    return `${kind} at ${servers.join(', ')}${connected ? '' : `, not connected: ${problem ?? 'not yet'}`}`;
  }
  const { directory, by, fileSystem, pollMs } = followed;
  const where = fileSystem === null ? directory : `${directory} (${fileSystem})`;
  if (by === 'poll') return `${where}, looked at every ${pollMs ?? 0} ms`;
  return fileSystem === null ? where : `${where}, though it does not tell what other machines write`;
}
