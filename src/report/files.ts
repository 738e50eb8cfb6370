import type { Inputs } from '../inputs.js';
import type { InstalledArtifact } from '../install/verified-artifact.js';
import { isBinary } from '../kubernetes/binary.js';
import { artifactItem, artifactOutputs, artifactReport, type ArtifactReport } from './artifacts.js';
import type { SharedDurations } from './file.js';
import type { ReportSection } from './section.js';
import { toolItem, toolReport, type ToolReport } from './tools.js';

/** The sections of the tools and of the other files of the release. */
export function fileSections(
  installed: readonly InstalledArtifact[],
  inputs: Inputs,
  durations: SharedDurations,
): ReportSection[] {
  const tools: ToolReport[] = [];
  const artifacts: ArtifactReport[] = [];
  for (const one of installed) {
    const { artifact } = one;
    if (isBinary(artifact)) {
      tools.push(toolReport(artifact, one, inputs, durations));
    } else {
      artifacts.push(artifactReport(one, durations));
    }
  }
  return [
    {
      heading: 'Verified Kubernetes tools',
      items: tools.map((report) => toolItem(report, inputs)),
      outputs: {
        ...Object.fromEntries(tools.map(({ tool, path }) => [`${tool}-path`, path])),
        ...outputsOfOne(tools, artifacts),
      },
    },
    {
      heading: 'Verified Kubernetes artifacts',
      items: artifacts.map((report) => artifactItem(report, inputs)),
      outputs: artifactOutputs(inputs.artifacts, artifacts),
    },
  ];
}

/** Outputs with one value describe kubectl, else the first tool, else the first artifact. */
function outputsOfOne(
  tools: readonly ToolReport[],
  artifacts: readonly ArtifactReport[],
): Record<string, string> {
  const reports = [...tools, ...artifacts];
  const main = tools.find(({ tool }) => tool === 'kubectl') ?? reports[0];
  if (main === undefined) {
    return {};
  }
  return {
    'cache-hit': String(reports.every((report) => report['cache-hit'])),
    sha256: main.sha256,
    'certificate-identity': main['certificate-identity'],
    'certificate-oidc-issuer': main['certificate-oidc-issuer'],
    'log-index': main['log-index'],
    'log-entry-uuid': main['log-entry-uuid'],
    'integrated-time': main['integrated-time'],
    'bundle-path': main['bundle-path'],
  };
}
