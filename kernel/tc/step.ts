// The steps of a plan for traffic control: data that can be printed, counted and executed. Who computes them is plan.ts.
import type { OwnQdisc, Redirect, TcState, TokenBucket } from './objects.ts';

/** A qdisc that is a stranger's is neither changed nor deleted: to add ours in its place is refused (EEXIST). */
export type TcStep =
  | { readonly kind: 'qdisc-add'; readonly qdisc: OwnQdisc }
  | { readonly kind: 'qdisc-change'; readonly qdisc: TokenBucket }
  | { readonly kind: 'qdisc-delete'; readonly qdisc: OwnQdisc }
  | { readonly kind: 'redirect-add'; readonly redirect: Redirect }
  | { readonly kind: 'redirect-delete'; readonly redirect: Redirect };

/** What became of a step: no error is success. What a delete does not find is success. */
export interface TcStepResult {
  readonly step: TcStep;
  readonly error?: Error | undefined;
}

/** Access to the traffic control of one namespace. */
export interface TcDriver {
  /** What is on these links. A link that is not there has nothing. */
  read(links: readonly string[]): TcState;
  /** Executes the steps in order, as many as can be; never retries. */
  apply(steps: readonly TcStep[]): readonly TcStepResult[];
  close(): void;
}
