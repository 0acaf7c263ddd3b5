import { HeadBucketCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { createS3Client } from "../library/s3-store.ts";
import { type Finding, failed, ok, warning } from "./check.ts";
import { causeOf, codeOf } from "./probe.ts";

/** Whether the bucket exists and the credentials reach it. */
export async function headBucket(bucket: string, limitMs: number): Promise<Finding> {
  const client = createS3Client();
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: AbortSignal.timeout(limitMs) });
    return ok(`the bucket ${bucket} is there`);
  } catch (error) {
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === 404) return failed(`there is no bucket ${bucket}`, "configuration");
    // Looking at a bucket is a right of its own, which the import does not need.
    if (status === 403) return warning(`the credentials may not look at the bucket ${bucket} (403)`);
    if (status !== undefined) return failed(`the bucket ${bucket} answers ${status}`, "other");
    if (error instanceof Error && error.name === "CredentialsProviderError") {
      return failed("there are no AWS credentials; see the AWS SDK's variables", "configuration");
    }
    const code = codeOf(error);
    // What the SDK itself refuses, such as a region that is missing, has no code.
    const why = code === "unknown" && error instanceof Error ? error.message : causeOf(code, "");
    return failed(`the bucket ${bucket} cannot be reached: ${why}`, "other");
  } finally {
    client.destroy();
  }
}
