// The packet table: every state of states/, in one order. Names are unique.
import type { PacketState } from './packet-state.ts';
import { affinityStates } from './states/affinity-states.ts';
import { clusterIpStates } from './states/cluster-ip-states.ts';
import { externalStates } from './states/external-states.ts';
import { familyStates } from './states/family-states.ts';
import { kindStates } from './states/kind-states.ts';
import { localPolicyStates } from './states/local-policy-states.ts';
import { nodeChoiceStates } from './states/node-choice-states.ts';
import { portStates } from './states/port-states.ts';
import { sliceStates } from './states/slice-states.ts';
import { topologyStates } from './states/topology-states.ts';

export const packetStates: readonly PacketState[] = [
  ...clusterIpStates,
  ...externalStates,
  ...localPolicyStates,
  ...portStates,
  ...sliceStates,
  ...kindStates,
  ...topologyStates,
  ...affinityStates,
  ...nodeChoiceStates,
  ...familyStates,
];
