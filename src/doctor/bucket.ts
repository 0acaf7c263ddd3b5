import { HeadBucketCommand, S3ServiceException } from "@aws-sdk/client-s3";
import { createS3Client, explainS3Error } from "../library/s3-client.ts";
import { ConfigError, WebError } from "../process/errors.ts";
import { adviceOf, type Finding, failed, ok, warning } from "./check.ts";
import { describeNetworkError, networkErrorCode } from "./probe.ts";

const checkStore =
  "Check AWS_REGION and AWS_ENDPOINT_URL_S3 (for a store other than Amazon's), and that the store is up.";

/** Checks that the bucket exists and that the credentials have access to it. */
export async function headBucket(bucket: string, limitMs: number): Promise<Finding> {
  try {
    const client = createS3Client();
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: AbortSignal.timeout(limitMs) });
    } finally {
      client.destroy();
    }
    return ok(`the bucket ${bucket} exists`);
  } catch (error) {
    return findingOf(error, bucket);
  }
}

function findingOf(error: unknown, bucket: string): Finding {
  if (error instanceof ConfigError) return failed(...adviceOf(error.message, "configuration"));
  const status = error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
  // An answer to HEAD has no body, hence no code that says more.
  if (status === 404) {
    return failed(`the bucket ${bucket} does not exist`, "configuration", "Create it, or correct S3_BUCKET.");
  }
  // HeadBucket needs a permission of its own, which the import does not use.
  if (status === 403) {
    return warning(
      `HeadBucket on ${bucket} is denied (403): the credentials are wrong, or their policy lacks s3:ListBucket`,
      "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the import can do without s3:ListBucket.",
    );
  }
  const fault = explainS3Error(error, { bucket, what: `looking at the bucket ${bucket}`, privilege: "s3:ListBucket" });
  if (fault !== null && !(fault instanceof WebError)) return failed(...adviceOf(fault.message, "configuration"));
  if (status !== undefined) return failed(`the bucket ${bucket} answered ${status}`, "other", checkStore);
  const code = networkErrorCode(error);
  const cause = code === "unknown" && error instanceof Error ? error.message : describeNetworkError(code, "");
  return failed(`the bucket ${bucket} is unreachable: ${cause}`, "other", checkStore);
}
