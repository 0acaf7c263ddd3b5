declare module "kvparser" {
  interface Block {
    [key: string]: string | Block;
  }
  export function parse(text: string): Block;
}
