import type { SessionSpec } from './session-spec.ts';

/** `maintenance of 12 hosts at demo`: the summary of a session in lists. */
export function summarize({ site, hosts, dryRun }: SessionSpec): string {
  const what = dryRun ? 'plan for' : 'maintenance of';
  if (!Array.isArray(hosts)) {
    const labels = Object.entries(hosts.selector).map(([label, value]) => `${label}=${value}`);
    return `${what} hosts with ${labels.join(', ')} at ${site}`;
  }
  if (hosts.length === 0) return `${what} all hosts at ${site}`;
  return `${what} ${hosts.length} ${hosts.length === 1 ? 'host' : 'hosts'} at ${site}`;
}
