// How a directory is followed (store/directory/following.ts), as a line of `netloom status`. Pure.
import { z } from 'zod';

export const followedShape = z.looseObject({
  directory: z.string(),
  by: z.enum(['notify', 'poll']),
  fileSystem: z.string().nullable(),
  pollMs: z.number().nullable(),
});

export function followedText({ directory, by, fileSystem, pollMs }: z.infer<typeof followedShape>): string {
  const where = fileSystem === null ? directory : `${directory} (${fileSystem})`;
  if (by === 'poll') return `${where}, looked at every ${pollMs ?? 0} ms`;
  return fileSystem === null ? where : `${where}, though it does not tell what other machines write`;
}
