// Checks of files that should not be there, or not for long. Pure.
import type { Finding } from './finding.ts';
import type { LeftFile, NodeFacts } from './node-facts.ts';

/** Milliseconds. Younger files may be in use: an ADD or DEL takes seconds at worst, and a queue is emptied within them. */
const patience = 60_000;

export function spoiltRecords({ spoilt }: NodeFacts): readonly Finding[] {
  return spoilt.map(({ path, problem }) => ({
    check: 'spoilt-record',
    severity: 'warning',
    object: path,
    finding: 'the record of an attachment cannot be read: its rules and limits are not looked after',
    evidence: problem.replace(/\s+/g, ' ').slice(0, 200),
    remedy: 'run "netloom doctor --fix", which removes the file, and make the pod anew',
    mend: { kind: 'file-delete', path },
  }));
}

export function leftFiles({ leftFiles: files, now }: NodeFacts): readonly Finding[] {
  return files.filter((file) => isOld(file, now) && !file.isHeld).map((file) => leftFile(file, now));
}

function leftFile({ kind, path, modifiedAt }: LeftFile, now: number): Finding {
  const isLock = kind === 'lock';
  return {
    check: isLock ? 'stale-lock' : 'temporary-file',
    severity: 'hint',
    object: path,
    finding: isLock ? 'a lock that nobody holds' : 'a file that was never finished',
    evidence: `${ageText(now - modifiedAt)} old: whoever made it was killed`,
    remedy: 'run "netloom doctor --fix", or remove it',
    mend: { kind: isLock ? 'lock-delete' : 'file-delete', path },
  };
}

export function queuedDeletions({ queue, now }: NodeFacts): readonly Finding[] {
  return queue
    .filter((file) => file.kind === 'bad' || isOld(file, now))
    .map(
      ({ kind, path, modifiedAt }): Finding =>
        kind === 'bad'
          ? {
              check: 'queued-del',
              severity: 'warning',
              object: path,
              finding: 'a DEL that can never be done was put aside',
              evidence: `${ageText(now - modifiedAt)} old`,
              remedy:
                'read it, see that its pod left nothing, and remove it; "netloom doctor --fix" removes it',
              mend: { kind: 'file-delete', path },
            }
          : {
              check: 'queued-del',
              severity: 'warning',
              object: path,
              finding: 'a pod’s DEL waits for an agent',
              evidence: `${ageText(now - modifiedAt)} old`,
              remedy: 'start the agent: it runs what is queued; its log says why one fails',
            },
    );
}

function isOld({ modifiedAt }: LeftFile, now: number): boolean {
  return now - modifiedAt > patience;
}

/** "5 minutes", "3 hours", "2 days". */
function ageText(milliseconds: number): string {
  const minutes = Math.floor(milliseconds / 60_000);
  const [count, unit] =
    minutes < 120
      ? ([minutes, 'minute'] as const)
      : minutes < 2880
        ? ([Math.floor(minutes / 60), 'hour'] as const)
        : ([Math.floor(minutes / 1440), 'day'] as const);
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}
