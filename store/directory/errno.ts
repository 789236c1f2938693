// The errno name of a failed file operation. Not for kernel/, whose errors say more.

/** "ENOENT" and the like, or undefined for what is no system error. Told by shape: errors may come from another realm. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
