/** Why mirrorgate cannot look after a node, or not as it is told to. Holds no secret material. */
export interface NodeProblem {
  /** Name of the Node; the address of an instance that has no Node yet. */
  readonly node: string;
  /** As Kubernetes has it in conditions and Events: CamelCase. */
  readonly reason: NodeProblemReason;
  readonly message: string;
  /** What a person can do about it. */
  readonly hint: string;
}

export type NodeProblemReason =
  | 'InvalidAnnotation'
  | 'NoAddress'
  | 'DuplicateAddress'
  | 'InvalidInstance'
  | 'SSHKeyMissing'
  | 'SSHKeyInvalid';
