# The controller's role, with the documents of ../iam as they are.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = { source = "hashicorp/aws", version = ">= 5.0" }
  }
}

variable "cluster_name" {
  description = "Name of the EKS cluster."
  type        = string
}

variable "cluster_uid" {
  description = "kubectl get namespace kube-system -o jsonpath={.metadata.uid}"
  type        = string
}

variable "job_queue" {
  description = "Name or pattern of the job queues."
  type        = string
  default     = "airflow-*"
}

variable "job_definition" {
  description = "Name or pattern of the job definitions: any task can have their roles."
  type        = string
  default     = "airflow-*"
}

variable "log_group" {
  description = "CloudWatch Logs group of the jobs."
  type        = string
  default     = "/aws/batch/job"
}

variable "namespace" {
  description = "Namespace of the controller."
  type        = string
  default     = "batchtask-system"
}

variable "service_account" {
  description = "ServiceAccount of the controller."
  type        = string
  default     = "batchtask-controller"
}

variable "other_roles" {
  description = "Roles in other accounts that the controller takes on."
  type        = set(string)
  default     = []
}

data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
data "aws_region" "here" {}

locals {
  values = {
    partition       = data.aws_partition.here.partition
    region          = data.aws_region.here.name
    account         = data.aws_caller_identity.here.account_id
    cluster_name    = var.cluster_name
    cluster_uid     = var.cluster_uid
    job_queue       = var.job_queue
    job_definition  = var.job_definition
    log_group       = var.log_group
    namespace       = var.namespace
    service_account = var.service_account
  }
  features = ["controller", "queue-position", "log-tail"]
}

resource "aws_iam_role" "controller" {
  name               = "batchtask-controller"
  assume_role_policy = templatefile("${path.module}/../iam/trust-pod-identity.json", local.values)
}

resource "aws_iam_role_policy" "features" {
  for_each = toset(local.features)
  name     = each.key
  role     = aws_iam_role.controller.id
  policy   = templatefile("${path.module}/../iam/${each.key}.json", local.values)
}

resource "aws_iam_role_policy" "other_accounts" {
  for_each = var.other_roles
  name     = "assume-${replace(each.key, "/[^A-Za-z0-9]+/", "-")}"
  role     = aws_iam_role.controller.id
  policy   = templatefile("${path.module}/../iam/assume-account.json", { role_arn = each.key })
}

resource "aws_eks_pod_identity_association" "controller" {
  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.controller.arn
}

output "role_arn" {
  description = "The controller's role."
  value       = aws_iam_role.controller.arn
}
