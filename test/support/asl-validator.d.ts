/** The part of asl-validator that the tests use; the package has no types of its own. */
declare module "asl-validator" {
  function validate(definition: object): { isValid: boolean; errorsText(separator?: string): string };
  export = validate;
}
