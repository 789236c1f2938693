// IPVS and its schedulers, each tried in an empty namespace.
import { openIpvs } from '../../../kernel/ipvs/driver.ts';
import type { IpvsAccess } from '../../../kernel/ipvs/objects.ts';
import { hasScheduler, schedulerChoices, schedulerModule } from '../../../kernel/ipvs/schedulers.ts';
import { moduleState } from '../../../kernel/kernel-modules.ts';
import type { Feature, ProbeRoom } from './feature.ts';

const mode = { kind: 'proxy-mode', name: 'ipvs' } as const;
const none = 'take another proxy mode, or a kernel that has it';

/** `scheduler`: the one that is set. */
export function ipvsFeatures(scheduler: string): readonly Feature[] {
  const others = schedulerChoices.filter((name) => name !== scheduler);
  return [
    {
      ...{ name: 'ipvs', title: 'IPVS (virtual servers)', group: 'IPVS', uses: [mode], modules: ['ip_vs'] },
      remedy: none,
      probe: (room) => withIpvs(room, () => {}),
    },
    {
      ...{ name: 'ipvs-scheduler', title: `scheduler ${scheduler}`, group: 'IPVS', uses: [mode] },
      modules: ['ip_vs', schedulerModule(scheduler)],
      remedy: none,
      probe: (room) => withIpvs(room, (ipvs) => demand(ipvs, [scheduler])),
    },
    {
      ...{ name: 'ipvs-other-schedulers', title: 'all other schedulers', group: 'IPVS' },
      uses: [{ kind: 'some', name: 'those who choose one' }],
      modules: ['ip_vs'],
      remedy: 'choose one that is there',
      probe: (room) => withIpvs(room, (ipvs) => demand(ipvs, others)),
    },
  ];
}

function demand(ipvs: IpvsAccess, names: readonly string[]): void {
  const missing = names.filter((name) => !hasScheduler(ipvs, name));
  if (missing.length === 0) return;
  const words = missing.map(
    (name) => `${name} (module ${schedulerModule(name)}: ${moduleState(schedulerModule(name))})`,
  );
  throw new Error(`Cannot find ${missing.length} of ${names.length} schedulers: ${words.join(', ')}`);
}

function withIpvs({ netns }: ProbeRoom, action: (ipvs: IpvsAccess) => void): void {
  const ipvs = openIpvs({ netns });
  try {
    action(ipvs);
  } finally {
    ipvs.close();
  }
}
