// What a proxy sets once at its start: limits of connection tracking in its namespace, and how willingly the kernel ends it. Nothing of
// this is needed for the rules: what is refused is a warning.
import { availableParallelism } from 'node:os';
import { setOomScore } from '../kernel/oom-score.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { type SysctlAccess, setConntrackSysctls } from './conntrack-sysctls.ts';
import type { ProxyOptions } from './proxy-options.ts';

export function prepareProcess(
  { conntrack, oomScoreAdjust }: Pick<ProxyOptions, 'conntrack' | 'oomScoreAdjust'>,
  { access, log }: { readonly access: SysctlAccess; readonly log: Pick<Logger, 'info' | 'warn'> },
): void {
  const { written, warnings } = setConntrackSysctls(conntrack, {
    access,
    processors: availableParallelism(),
  });
  if (written.length > 0) log.info({ sysctls: written }, 'set the limits of connection tracking');
  for (const warning of warnings) log.warn(warning);
  if (oomScoreAdjust === undefined) return;
  try {
    setOomScore(oomScoreAdjust);
  } catch (error) {
    log.warn(`Cannot set the OOM score to ${oomScoreAdjust}: ${errorMessage(error)}`);
  }
}
