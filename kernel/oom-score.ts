// How willingly the kernel ends this process when memory runs out (proc(5), oom_score_adj). Not a limit on memory.
import { readFileSync, writeFileSync } from 'node:fs';

const path = '/proc/self/oom_score_adj';

/** -1000 (never) to 1000 (first). Returns whether it was another before. Throws what writing the file throws: EACCES below what we may. */
export function setOomScore(value: number): boolean {
  const text = String(value);
  if (readFileSync(path, 'latin1').trimEnd() === text) return false;
  writeFileSync(path, text);
  return true;
}
