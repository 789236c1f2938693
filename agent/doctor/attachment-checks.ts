// Checks of pods that are gone, and of what they left: addresses, records, links. Pure.

import { netloomAlias } from '../alias.ts';
import type { AttachmentLife } from '../ipam/life-survey.ts';
import { isHostLinkName } from '../wiring/attachment.ts';
import type { Finding } from './finding.ts';
import type { NodeFacts } from './node-facts.ts';

const byFix = 'run "netloom doctor --fix", or restart the agent';

export function leakedAddresses({ survey }: NodeFacts): readonly Finding[] {
  const leaked = survey.attachments.filter(({ life, record }) => life === 'dead' && record === undefined);
  return [
    ...leaked.map(
      (one): Finding => ({
        check: 'leaked-address',
        severity: 'error',
        object: addressText(one),
        finding: `reserved for ${containerText(one)}, which is gone`,
        evidence: one.evidence,
        remedy: byFix,
        mend: { kind: 'attachment-delete', attachment: one.attachment, ipamDirectory: one.ipamDirectory },
      }),
    ),
    ...survey.ownerless.map(
      ({ network, address, ipamDirectory, life, evidence }): Finding => ({
        check: 'ownerless-address',
        severity: life === 'dead' ? 'error' : 'hint',
        object: `${network} ${address}`,
        finding: 'taken, by nobody: its file is empty or spoilt',
        evidence,
        remedy:
          life === 'dead' ? byFix : `when its pod is gone, remove "${ipamDirectory}/${network}/${address}"`,
        ...(life === 'dead' ? { mend: { kind: 'address-release', network, address, ipamDirectory } } : {}),
      }),
    ),
  ];
}

export function unknownPods({ survey }: NodeFacts): readonly Finding[] {
  return survey.attachments
    .filter(({ life }) => life === 'unknown')
    .map(
      (one): Finding => ({
        check: 'unknown-pod',
        severity: 'hint',
        object: addressText(one),
        finding: `cannot tell whether ${containerText(one)} is there`,
        evidence: one.evidence,
        remedy:
          'ask the runtime whether it has this container; look again in ten minutes, in the machine’s own pid namespace',
      }),
    );
}

export function deadAttachments({ survey }: NodeFacts): readonly Finding[] {
  return survey.attachments
    .filter(({ life, record }) => life === 'dead' && record !== undefined)
    .map(
      (one): Finding => ({
        check: 'dead-attachment',
        severity: 'error',
        object: `${one.attachment.network} ${one.attachment.ifname}`,
        finding: `what was made for ${containerText(one)} is still recorded: ${heldText(one)}`,
        evidence: one.evidence,
        remedy: byFix,
        mend: { kind: 'attachment-delete', attachment: one.attachment, ipamDirectory: one.ipamDirectory },
      }),
    );
}

/** By our naming alone: an interface whose attachment nobody remembers cannot be asked for. */
export function orphanLinks({ links, claimedLinks, usedLinks }: NodeFacts): readonly Finding[] {
  return links.flatMap(({ name, detail, alias }): readonly Finding[] => {
    if (claimedLinks.has(name)) return [];
    const isUsed = usedLinks.has(name);
    if (detail.kind === 'veth' && isHostLinkName(name)) return [orphanVeth(name, isUsed)];
    return detail.kind === 'ifb' && alias === netloomAlias ? [orphanLimiter(name, isUsed)] : [];
  });
}

/** A published port of nobody keeps it from whoever wants it next. */
export function strayRules({ strayRules: names }: NodeFacts): readonly Finding[] {
  return names.map(
    (name): Finding => ({
      check: 'stray-rules',
      severity: 'error',
      object: `rules of attachment ${name}`,
      finding: 'ports, masquerading or guards of a pod that nobody knows are in the firewall',
      evidence: 'no record of an attachment has this name',
      remedy: byFix,
      mend: { kind: 'rules-ensure' },
    }),
  );
}

function orphanVeth(name: string, isUsed: boolean): Finding {
  return {
    check: 'orphan-veth',
    severity: 'warning',
    object: name,
    finding: 'the host’s end of a pod that nobody knows',
    evidence: `no record and no reserved address belongs to it, and its other end is ${isUsed ? 'up' : 'down'}`,
    ...linkRemedy(name, { type: 'veth', isUsed }),
  };
}

function orphanLimiter(name: string, isUsed: boolean): Finding {
  return {
    check: 'orphan-limiter',
    severity: 'warning',
    object: name,
    finding: 'the limiter of a pod that nobody knows',
    evidence: `no pod with limits is recorded that it belongs to, and ${isUsed ? 'a' : 'no'} link leads to it`,
    ...linkRemedy(name, { type: 'ifb', isUsed }),
  };
}

/** A record may be lost while its pod lives: what it may need is not removed unasked. */
function linkRemedy(
  name: string,
  { type, isUsed }: { readonly type: 'veth' | 'ifb'; readonly isUsed: boolean },
): Pick<Finding, 'remedy' | 'mend'> {
  const byHand = `"ip link delete ${name}"`;
  if (isUsed) return { remedy: `when no pod needs it, run ${byHand}` };
  return { remedy: `run "netloom doctor --fix", or ${byHand}`, mend: { kind: 'link-delete', name, type } };
}

function addressText({ attachment: { network }, addresses }: AttachmentLife): string {
  return [network, ...addresses].join(' ');
}

function containerText({ attachment: { containerId, ifname }, record }: AttachmentLife): string {
  const pod = record?.pod === undefined ? '' : ` of pod ${record.pod}`;
  return `${ifname === '' ? '' : `${ifname} of `}container "${containerId}"${pod}`;
}

function heldText({ addresses, record }: AttachmentLife): string {
  const held = [
    ...addresses.map(String),
    ...(record?.rules === undefined ? [] : ['firewall rules']),
    ...(record?.bandwidth === true ? ['limits'] : []),
  ];
  return held.length === 0 ? 'nothing else' : held.join(', ');
}
