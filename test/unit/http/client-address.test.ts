import { expect, test } from "vitest";
import { clientAddress } from "../../../src/http/client-address.ts";

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"],
  ["2001:db8:1:2::9", "2001:db8:1:2::"],
  ["::1", "::"],
  ["fe80::1%eth0", "fe80::"],
])("counts %s as %s", (ip, key) => {
  expect(clientAddress(ip)).toBe(key);
});
