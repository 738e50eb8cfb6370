import { escapeHtml } from '../escape.js';
import type { Inputs } from '../inputs.js';
import { describeVersionProof, type VerifiedImage } from '../install/images.js';
import { proofLog, proofReport, proofRows, type ProofReport } from './proof.js';
import type { ReportItem, ReportSection } from './section.js';
import { seconds } from './units.js';

/** Everything reported about one image, in the output `report`. */
export interface ImageReport extends ProofReport {
  /** As the input names it. */
  readonly image: string;
  /** `registry.k8s.io/kube-apiserver:v1.31.9` */
  readonly name: string;
  /** `registry.k8s.io/kube-apiserver@sha256:…` */
  readonly reference: string;
  /** Platforms whose layers the release's SBOM lists, such as `linux/amd64`. */
  readonly 'proven-platforms': readonly string[];
  /** The other platforms of the image. Empty if no version was to be proven. */
  readonly 'unproven-platforms': readonly string[];
  /** How long each phase took, in whole milliseconds. */
  readonly 'durations-ms': { readonly resolve: number; readonly verify: number };
}

export function imageSection(
  images: readonly VerifiedImage[],
  inputs: Inputs,
  durations: { readonly resolve: number },
): ReportSection {
  const reports = images.map((image) => imageReport(image, durations));
  return {
    heading: 'Verified Kubernetes images',
    items: reports.map((report) => imageItem(report, inputs)),
    outputs: imageOutputs(reports),
  };
}

function imageReport(
  { image, pinned, verified, version, duration }: VerifiedImage,
  { resolve }: { readonly resolve: number },
): ImageReport {
  return {
    image: image.requested,
    name: image.name,
    reference: pinned,
    ...proofReport(verified, describeVersionProof(version)),
    'proven-platforms': version.proven,
    'unproven-platforms': version.unproven,
    'durations-ms': { resolve: Math.round(resolve), verify: Math.round(duration) },
  };
}

function imageItem(report: ImageReport, { rekorUrl }: Inputs): ReportItem {
  const took = `resolving the version ${seconds(report['durations-ms'].resolve)}, verification ${seconds(report['durations-ms'].verify)}`;
  return {
    report,
    title: report.name,
    log: [...proofLog(report), `Took: ${took}`, `Reference: ${report.reference}`],
    paths: [],
    rows: [
      ['Image', `<b>${escapeHtml(report.name)}</b>`],
      ['By digest', `<code>${escapeHtml(report.reference)}</code>`],
      ...proofRows(report, rekorUrl),
      ['Took', escapeHtml(took)],
    ],
  };
}

/** `images`: as the input names it -> by digest, ready to pin. */
function imageOutputs(reports: readonly ImageReport[]): Record<string, string> {
  const references = reports.map(({ image, reference }) => [image, reference]);
  return reports.length === 0 ? {} : { images: JSON.stringify(Object.fromEntries(references)) };
}
