// What is wrong with the limits of an attachment, in words for CHECK. Pure: what is there is handed in.
import type { Link } from '../../kernel/route/objects.ts';
import { qdiscKey, type TcState } from '../../kernel/tc/objects.ts';
import type { TcStep } from '../../kernel/tc/step.ts';
import { qdiscText } from '../../kernel/tc/text.ts';

/** Of the ifb device `name`; `wanted` is undefined when there should be none. */
export function limiterProblems(
  name: string,
  { wanted, actual }: { readonly wanted: Link | undefined; readonly actual: Link | undefined },
): readonly string[] {
  if (wanted === undefined)
    return actual?.detail.kind === 'ifb'
      ? [`link "${name}" is there, but nothing limits what the pod sends`]
      : [];
  if (actual === undefined) return [`link "${name}" is missing on the host`];
  if (actual.detail.kind !== 'ifb') return [`link "${name}" is not an ifb device`];
  return [
    ...(actual.up === true ? [] : [`link "${name}" is down`]),
    ...(actual.mtu === wanted.mtu ? [] : [`link "${name}" has MTU ${actual.mtu}, not ${wanted.mtu}`]),
  ];
}

/** What each step that is still to be taken says about what was found. */
export function tcProblems(steps: readonly TcStep[], found: TcState): readonly string[] {
  return steps.map((step) => tcProblem(step, found));
}

function tcProblem(step: TcStep, found: TcState): string {
  switch (step.kind) {
    case 'qdisc-add': {
      const other = found.qdiscs.get(qdiscKey(step.qdisc));
      const instead = other === undefined ? 'is missing' : `is not there, but "${qdiscText(other)}"`;
      return `qdisc "${qdiscText(step.qdisc)}" ${instead}`;
    }
    case 'qdisc-change': {
      const actual = found.qdiscs.get(qdiscKey(step.qdisc));
      return `qdisc "${actual === undefined ? '' : qdiscText(actual)}" should be "${qdiscText(step.qdisc)}"`;
    }
    case 'qdisc-delete':
      return `qdisc "${qdiscText(step.qdisc)}" should not be there`;
    case 'redirect-add':
      return `what "${step.redirect.link}" receives is not led through "${step.redirect.to}"`;
    case 'redirect-delete':
      return `what "${step.redirect.link}" receives is led to ${step.redirect.to === '' ? 'nowhere' : `"${step.redirect.to}"`}`;
    default:
      return step satisfies never;
  }
}
