// The settings of an etcd cluster, by flannel's flags and variables, and what they amount to. Loads nothing of etcd's library.
import { type SettingsOf, setting } from '../runtime/settings/setting.ts';
import { flagName } from '../runtime/settings/setting-names.ts';
import { list, parsed, text } from '../runtime/settings/setting-types.ts';
import { SettingsError, type SettingsProblem } from '../runtime/settings/settings-error.ts';
import { parseEndpoint } from './etcd/endpoint.ts';
import type { EtcdOptions } from './etcd/etcd-options.ts';

const endpoint = parsed({
  expected: 'a URL such as https://etcd-1:2379',
  placeholder: 'url',
  parse: (input) => parseEndpoint(input)?.url,
});

/** etcd's own; flannel tries port 4001 of 2014 before it. */
const localEndpoint = 'http://127.0.0.1:2379';

/** As flannel reads them. */
function variables(name: string): readonly string[] {
  return [`FLANNELD_ETCD_${name}`];
}

export function etcdSettings(group: string) {
  const file = (otherVariables: readonly string[], help: string) =>
    setting(text().optional(), { group, placeholder: 'path', otherVariables, help });
  return {
    etcdEndpoints: setting(list(endpoint), {
      group,
      default: '',
      otherVariables: variables('ENDPOINTS'),
      help: `Members of the etcd cluster, http or https; none given: ${localEndpoint} where etcd is chosen`,
    }),
    etcdCafile: file(
      variables('CAFILE'),
      "PEM file of the authorities that etcd's certificates are of; none: the system's",
    ),
    etcdCertfile: file(variables('CERTFILE'), 'PEM file of the certificate that we show to etcd'),
    etcdKeyfile: file(variables('KEYFILE'), 'PEM file of its private key'),
    etcdUsername: setting(text().optional(), {
      group,
      placeholder: 'name',
      otherVariables: variables('USERNAME'),
      help: 'User that we log in to etcd as',
    }),
    etcdPassword: setting(text().optional(), {
      group,
      secret: true,
      placeholder: 'password',
      otherVariables: variables('PASSWORD'),
      help: 'Its password; as a flag everybody on the node can read it, so a file is better',
    }),
    etcdPasswordFile: file([], 'File whose first line is the password, read at each login'),
  };
}

export type EtcdSettings = SettingsOf<ReturnType<typeof etcdSettings>>;

/** Throws SettingsError with all that does not fit together. */
export function etcdChoice(settings: EtcdSettings): EtcdOptions {
  const problems: SettingsProblem[] = [];
  const wrong = (name: keyof EtcdSettings, what: string) => {
    const source = flagName(name);
    problems.push({ kind: 'bad', source, setting: name, message: `${source}: ${what}` });
  };
  const { etcdEndpoints, etcdCafile: ca, etcdCertfile: certificate, etcdKeyfile: key } = settings;
  const { etcdUsername: name, etcdPassword, etcdPasswordFile } = settings;
  const endpoints = etcdEndpoints.length === 0 ? [localEndpoint] : etcdEndpoints;
  if (certificate !== undefined && key === undefined)
    wrong('etcdCertfile', `needs ${flagName('etcdKeyfile')} too`);
  if (certificate === undefined && key !== undefined)
    wrong('etcdKeyfile', `needs ${flagName('etcdCertfile')} too`);
  const hasFiles = [ca, certificate, key].some((path) => path !== undefined);
  const plain = endpoints.find((url) => url.startsWith('http://'));
  if (hasFiles && plain !== undefined)
    wrong('etcdEndpoints', `"${plain}" is not https, but files for TLS are given`);
  if (etcdPassword !== undefined && etcdPasswordFile !== undefined)
    wrong('etcdPasswordFile', `the password is given by ${flagName('etcdPassword')} too`);
  const hasPassword = etcdPassword !== undefined || etcdPasswordFile !== undefined;
  if (name === undefined && hasPassword) wrong('etcdUsername', 'a password is given, but no user');
  if (name !== undefined && !hasPassword) wrong('etcdUsername', `needs ${flagName('etcdPasswordFile')} too`);
  if (problems.length > 0) throw new SettingsError(problems);
  const tls = { ca, certificate, key };
  if (name === undefined) return { endpoints, tls };
  const password = etcdPasswordFile === undefined ? { text: etcdPassword ?? '' } : { file: etcdPasswordFile };
  return { endpoints, tls, user: { name, password } };
}
