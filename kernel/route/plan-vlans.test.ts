import { describe, expect, test } from '@jest/globals';
import { vlanStates } from './driver-cases.ts';
import type { PortVlan } from './objects.ts';
import { planVlans } from './plan-vlans.ts';
import { routeStepText } from './text.ts';

const port = { link: 'veth1', self: false };
const first: PortVlan = { first: 1, last: 1, pvid: true, untagged: true };
const access: PortVlan = { first: 100, last: 100, pvid: true, untagged: true };
const trunk: PortVlan = { first: 10, last: 20, pvid: false, untagged: false };

describe('planVlans', () => {
  test.each([
    {
      what: 'a new PVID before the old one goes',
      wanted: [access],
      actual: [first],
      steps: [
        'bridge vlan add dev veth1 vid 100 pvid untagged',
        'bridge vlan delete dev veth1 vid 1 pvid untagged',
      ],
    },
    {
      what: 'only what is missing of a range',
      wanted: [trunk],
      actual: [
        { ...trunk, last: 12 },
        { ...trunk, first: 14, last: 30 },
      ],
      steps: ['bridge vlan add dev veth1 vid 13', 'bridge vlan delete dev veth1 vid 21-30'],
    },
    {
      what: 'other tags of what is a member already',
      wanted: [{ ...trunk, untagged: true }],
      actual: [trunk],
      steps: ['bridge vlan add dev veth1 vid 10-20 untagged'],
    },
    {
      what: 'a VLAN that is named twice: the later counts',
      wanted: [trunk, { ...trunk, first: 15, last: 15, untagged: true }],
      actual: [],
      steps: [
        'bridge vlan add dev veth1 vid 10-14',
        'bridge vlan add dev veth1 vid 15 untagged',
        'bridge vlan add dev veth1 vid 16-20',
      ],
    },
  ])('$what', ({ wanted, actual, steps }) => {
    expect(planVlans(wanted, actual, port).map(routeStepText)).toEqual(steps);
  });

  test('says of the bridge itself that it is meant', () => {
    expect(planVlans([trunk], [], { link: 'cni0', self: true }).map(routeStepText)).toEqual([
      'bridge vlan add dev cni0 vid 10-20 self',
    ]);
  });

  test('is empty for two equal lists', () => {
    for (const { vlans } of vlanStates) expect(planVlans(vlans, vlans, port)).toEqual([]);
  });
});
