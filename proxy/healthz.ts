// Whether the proxy keeps up, as kube-proxy's /healthz and /livez say it (reference: pkg/proxy/healthcheck/proxy_health.go): a
// family is unhealthy while a change waits for longer than the timeout. It serves nothing; healthz-server.ts does.
import type { Family } from '../net/address.ts';
import type { Clock } from '../runtime/clock.ts';
import { familyName } from './family-name.ts';
import type { ProxyOptions } from './proxy-options.ts';

export interface FamilyHealthBody {
  /** RFC 3339. */
  readonly lastUpdated: string;
  readonly healthy: boolean;
}

/** The body of /healthz and /livez; the order of its fields is theirs. */
export interface HealthzBody {
  readonly lastUpdated: string;
  readonly currentTime: string;
  /** Only of /healthz. */
  readonly nodeEligible?: boolean;
  readonly healthy: boolean;
  readonly status?: Readonly<Record<string, FamilyHealthBody>>;
}

export interface HealthzAnswer {
  readonly code: 200 | 503;
  readonly body: HealthzBody;
}

export interface ProxyHealth {
  /** A change of the family waits to be programmed. */
  queued(family: Family): void;
  /** All that waited is programmed. */
  updated(family: Family): void;
  isHealthy(): boolean;
  /** With regard to the node: load balancers ask this. */
  healthz(): HealthzAnswer;
  /** Without: a node that is about to go must not have its proxy restarted. */
  livez(): HealthzAnswer;
}

export interface ProxyHealthOptions {
  readonly clock: Clock;
  /** Milliseconds that a change may wait. */
  readonly timeout: number;
  /** Whether load balancers should send the node anything: not when it is about to be removed. */
  readonly nodeEligible: () => boolean;
}

/**
 * Twice the time between two looks at everything, as there. In nftables mode these are far apart, and a change that waits is late long
 * before: a minute, which is kube-proxy's own default.
 */
export function healthTimeout({ mode, syncPeriod }: Pick<ProxyOptions, 'mode' | 'syncPeriod'>): number {
  return mode === 'nftables' ? Math.min(2 * syncPeriod, 60_000) : 2 * syncPeriod;
}

/** What Go prints for a time that was never set. */
const never = '0001-01-01T00:00:00Z';

export function createProxyHealth({ clock, timeout, nodeEligible }: ProxyHealthOptions): ProxyHealth {
  const updatedAt = new Map<Family, number>();
  const queuedAt = new Map<Family, number>();

  const isLate = (family: Family, now: number): boolean => now - (queuedAt.get(family) ?? now) >= timeout;
  const families = (): readonly Family[] =>
    ([4, 6] as const).filter((family) => updatedAt.has(family) || queuedAt.has(family));

  function healthyAt(now: number): boolean {
    return families().every((family) => !isLate(family, now));
  }

  function answer(now: number, eligible: boolean | undefined): HealthzAnswer {
    const healthy = healthyAt(now);
    const ok = healthy && eligible !== false;
    // Families that have done nothing yet are left out, as there.
    const status = Object.fromEntries(
      families()
        .filter((family) => updatedAt.has(family) || isLate(family, now))
        .map((family) => [
          familyName(family),
          { lastUpdated: timeText(updatedAt.get(family)), healthy: !isLate(family, now) },
        ]),
    );
    const latest = updatedAt.size === 0 ? undefined : Math.max(...updatedAt.values());
    return {
      code: ok ? 200 : 503,
      body: {
        // "Now" while all is well: programs take an old time for a proxy that hangs.
        lastUpdated: timeText(ok ? now : latest),
        currentTime: timeText(now),
        ...(eligible === undefined ? {} : { nodeEligible: eligible }),
        healthy,
        ...(Object.keys(status).length === 0 ? {} : { status }),
      },
    };
  }

  return {
    queued(family) {
      if (!queuedAt.has(family)) queuedAt.set(family, clock.now());
    },
    updated(family) {
      queuedAt.delete(family);
      updatedAt.set(family, clock.now());
    },
    isHealthy: () => healthyAt(clock.now()),
    healthz: () => answer(clock.now(), nodeEligible()),
    livez: () => answer(clock.now(), undefined),
  };
}

function timeText(milliseconds: number | undefined): string {
  return milliseconds === undefined ? never : new Date(milliseconds).toISOString();
}
