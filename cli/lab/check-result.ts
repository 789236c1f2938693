// What `lab check` finds, for people and for scripts.

/** The shape of `lab check --json` (docs/architecture.md). */
export interface CheckReport {
  readonly checks: readonly CheckResult[];
}

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  /** Milliseconds from its first probe to its last. */
  readonly ms: number;
  readonly detail: string;
}
