// Where kubelet tells a pod that the API server is: two variables of the environment, which every pod has.

/** Undefined outside of a pod. */
export function podApiServer(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { readonly host: string; readonly port: string } | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment;
  return host === undefined || host === '' || port === undefined || port === '' ? undefined : { host, port };
}
