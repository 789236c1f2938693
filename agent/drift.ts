// Tells a change that was asked for from a repair: a step whose object was wanted just so when it was last in order. Pure.
import type { RouteState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import { mapOfKind, type ObjectKind, type StepSubject, stepSubject, subjectName } from './route-steps.ts';

/** What was wanted when the node was last looked after, and which objects were not in order even then. */
export interface Settled {
  readonly desired: RouteState;
  readonly failed: ReadonlySet<string>;
}

/** How many steps repair drift, by the kind of their object. No step does in the first pass of a process. */
export function countRepairs(
  steps: readonly RouteStep[],
  desired: RouteState,
  settled: Settled | undefined,
): ReadonlyMap<ObjectKind, number> {
  const repairs = new Map<ObjectKind, number>();
  if (settled === undefined) return repairs;
  for (const step of steps) {
    const subject = stepSubject(step);
    if (settled.failed.has(subjectName(subject))) continue;
    const now = wantedText(desired, subject);
    // A deletion of what was not wanted before either takes away what a stranger put there.
    if (now === wantedText(settled.desired, subject)) {
      repairs.set(subject.kind, (repairs.get(subject.kind) ?? 0) + 1);
    }
  }
  return repairs;
}

/** Desired objects are made of values that print themselves, in a constant order of fields: equal text, equal object. */
function wantedText(state: RouteState, { kind, key }: StepSubject): string | undefined {
  const object: unknown = state[mapOfKind[kind]].get(key);
  return object === undefined ? undefined : JSON.stringify(object);
}
