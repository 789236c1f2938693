// `netloom doctor`: what this node's kernel can do, what leaked, what stands in its pods' way; and mends it. The checks are agent/doctor's.
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';
import type { NodeSetup } from '../../agent/doctor/features/feature.ts';
import { featureFindings } from '../../agent/doctor/features/feature-findings.ts';
import { kernelFeatures } from '../../agent/doctor/features/kernel-features.ts';
import { probeFeatures } from '../../agent/doctor/features/probe-features.ts';
import type { FactSources } from '../../agent/doctor/gather-facts.ts';
import { runDoctor } from '../../agent/doctor/run-doctor.ts';
import { type AgentSettings, agentSettings } from '../../agent/settings.ts';
import { AttachmentRecords } from '../../agent/wiring/attachment-record.ts';
import { conflistName, conflistText } from '../../cni/conflist.ts';
import { queueDirectory } from '../../cni/del-queue-entry.ts';
import { proxySocketPath } from '../../proxy/proxy-servers.ts';
import { proxySettings } from '../../proxy/settings.ts';
import { addOptions } from '../../runtime/settings/settings-flags.ts';
import { openLeaseStore } from '../../store/open-lease-store.ts';
import { leaseStoreChoice } from '../../store/store-settings.ts';
import type { CommandContext } from '../context.ts';
import { proxyModeFeatures } from '../doctor-proxy-modes.ts';
import { type DoctorVisit, doctorJson, doctorText } from '../doctor-text.ts';
import { loadAgentSettings } from '../load-agent-settings.ts';
import { loadProxySettings } from '../load-proxy-settings.ts';

export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor');
  return addOptions(command, { ...proxySettings, ...agentSettings })
    .description(
      `Tries what this node's kernel and programs can do, each feature in an empty network namespace, and looks for what leaked on the node
(addresses, interfaces, records, files) and what stands in its pods' way (forwarding, routes, MTUs, clocks, and whether etcd or the API
server answers and lets it do what it must; nothing is written there). It takes the settings
of "netloom agent" and "netloom proxy", which may run meanwhile. Exits with 1 when something is wrong or could not be mended, and when
there is no feature that these settings need; what they do not need, and hints, are only told.`,
    )
    .option('--fix', 'Mend what can be mended; pods that live are left alone')
    .option('--no-features', 'Do not try what the kernel can do')
    .option('--json', 'Print the features and findings as JSON')
    .addHelpText(
      'after',
      `
Examples:
  netloom doctor
  netloom doctor --proxy-mode iptables
  netloom doctor --fix --config /etc/netloom/agent.yaml
  netloom doctor --json | jq '.findings[] | select(.severity == "error")'
  netloom doctor --json | jq '.features[] | select(.state != "yes") | .name'`,
    )
    .action(async () => {
      const { settings } = loadAgentSettings(command, context);
      const proxy = loadProxySettings(command, context);
      const { terminal, signal } = context;
      const fix = command.getOptionValue('fix') === true;
      const wanted =
        command.getOptionValue('features') === false
          ? []
          : [
              ...kernelFeatures({ ipvsScheduler: proxy.options.ipvs.scheduler }),
              ...proxyModeFeatures(proxy.options),
            ];
      const setup = await nodeSetup(settings, { proxyMode: proxy.options.mode, signal });
      if (wanted.length > 0) terminal.redraw(`trying ${wanted.length} features …`);
      const features = await probeFeatures(wanted, { signal });
      const report = await runDoctor(factSources(settings, { services: proxy.options.services, signal }), {
        fix,
      });
      const visit: DoctorVisit = {
        ...report,
        findings: [...featureFindings(features, setup), ...report.findings],
        ...{ features, setup, kernel: release() },
      };
      if (command.getOptionValue('json') === true) terminal.print(doctorJson(visit, { fix }));
      else for (const line of doctorText(visit, terminal)) terminal.print(line);
      if (visit.failed.length > 0 || visit.findings.some(({ severity }) => severity !== 'hint'))
        context.fail();
    });
}

function factSources(settings: AgentSettings, around: Pick<FactSources, 'services' | 'signal'>): FactSources {
  const { runDirectory, ipamDirectory, subnetFile, bridge, masquerade } = settings;
  return {
    runDirectory,
    ipamDirectory,
    subnetFile,
    bridge,
    masquerade,
    records: new AttachmentRecords({ runDirectory }),
    networks: [networkName(settings)],
    queueDirectory: queueDirectory(settings.stateDirectory),
    conflists: { directory: settings.cniConfDirectory, own: conflistName },
    hasProxy: existsSync(proxySocketPath(runDirectory)),
    node: settings.nodeName,
    leases: leaseStoreChoice(settings),
    ...around,
  };
}

async function nodeSetup(
  settings: AgentSettings,
  { proxyMode, signal }: { readonly proxyMode: string; readonly signal: AbortSignal },
): Promise<NodeSetup> {
  const { masquerade } = settings;
  try {
    await using opened = new AsyncDisposableStack();
    const store = opened.adopt(await openLeaseStore(leaseStoreChoice(settings)), (one) => one.close());
    const { backend } = await store.networkConfig(signal);
    return { masquerade, proxyMode, backend: backend.kind === 'opaque' ? backend.type : backend.kind };
  } catch {
    // What is wrong with it is told by the checks.
    return { masquerade, proxyMode, backend: undefined };
  }
}

const nameShape = z.object({ name: z.string() });

/** Of the network that is installed; of the one that would be, if none is. */
function networkName(settings: AgentSettings): string {
  try {
    return nameShape.parse(JSON.parse(readFileSync(join(settings.cniConfDirectory, conflistName), 'utf8')))
      .name;
  } catch {
    return nameShape.parse(JSON.parse(conflistText(settings))).name;
  }
}
