import { HeadBucketCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { createS3Client } from "../library/s3-store.ts";
import { type Finding, failed, ok, warning } from "./check.ts";
import { describeNetworkError, networkErrorCode } from "./probe.ts";

/** Checks that the bucket exists and that the credentials have access to it. */
export async function headBucket(bucket: string, limitMs: number): Promise<Finding> {
  const client = createS3Client();
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: AbortSignal.timeout(limitMs) });
    return ok(`the bucket ${bucket} exists`);
  } catch (error) {
    const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
    if (status === 404) return failed(`the bucket ${bucket} does not exist`, "configuration");
    // HeadBucket needs a permission of its own, which the import does not use.
    if (status === 403) return warning(`the credentials do not allow HeadBucket on ${bucket} (403)`);
    if (status !== undefined) return failed(`the bucket ${bucket} answered ${status}`, "other");
    if (error instanceof Error && error.name === "CredentialsProviderError") {
      return failed("no AWS credentials were found; set the variables of the AWS SDK", "configuration");
    }
    const code = networkErrorCode(error);
    // Errors of the SDK itself, such as a missing region, have no code.
    const cause = code === "unknown" && error instanceof Error ? error.message : describeNetworkError(code, "");
    return failed(`the bucket ${bucket} is unreachable: ${cause}`, "other");
  } finally {
    client.destroy();
  }
}
