import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import { artifactItem, artifactOutputs, artifactReport, type ArtifactReport } from './artifacts.js';
import type { FileReport, SharedDurations } from './file.js';
import type { ReportSection } from './section.js';
import { toolItem, toolOutputs, toolReport, type ToolReport } from './tools.js';

/** What a run shows about the files in the tool cache: tools, then artifacts. */
export function fileSections(
  installed: readonly InstalledArtifact[],
  inputs: Inputs,
  durations: SharedDurations,
): ReportSection[] {
  const tools: ToolReport[] = [];
  const artifacts: ArtifactReport[] = [];
  for (const one of installed) {
    if (isBinary(one.artifact)) {
      tools.push(toolReport(one.artifact, one, inputs, durations));
    } else {
      artifacts.push(artifactReport(one, durations));
    }
  }
  const main = tools.find(({ tool }) => tool === 'kubectl') ?? tools[0] ?? artifacts[0];
  return [
    {
      heading: 'Verified Kubernetes tools',
      items: tools.map((report) => toolItem(report, inputs)),
      outputs: { ...toolOutputs(tools), ...sharedOutputs(main, [...tools, ...artifacts]) },
    },
    {
      heading: 'Verified Kubernetes artifacts',
      items: artifacts.map((report) => artifactItem(report, inputs)),
      outputs: artifactOutputs(artifacts, inputs),
    },
  ];
}

/** @param main the file that outputs with a single value describe: kubectl, else the first tool, else the first artifact */
function sharedOutputs(
  main: FileReport | undefined,
  all: readonly FileReport[],
): Record<string, string> {
  if (main === undefined) {
    return {};
  }
  return {
    'cache-hit': String(all.every((report) => report['cache-hit'])),
    sha256: main.sha256,
    'certificate-identity': main['certificate-identity'],
    'certificate-oidc-issuer': main['certificate-oidc-issuer'],
    'log-index': main['log-index'],
    'log-entry-uuid': main['log-entry-uuid'],
    'integrated-time': main['integrated-time'],
    'bundle-path': main['bundle-path'],
  };
}
