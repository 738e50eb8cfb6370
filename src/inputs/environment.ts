/** What a run reads from its process. Tests pass other values, to act for any platform. */
export interface Environment {
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** `process.platform` */
  readonly platform: string;
  /** `process.arch` */
  readonly arch: string;
}
