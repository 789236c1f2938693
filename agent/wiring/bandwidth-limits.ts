// How fast a pod may talk and listen. A value; bandwidth.ts puts it into the kernel.

/** Bits a second, and bits that may go at once. */
export interface RateLimit {
  readonly rate: number;
  readonly burst: number;
}

export interface BandwidthLimits {
  /** To the pod. */
  readonly ingress?: RateLimit | undefined;
  /** From the pod. */
  readonly egress?: RateLimit | undefined;
}
