{{/* What all names begin with. */}}
{{- define "batchtask.base" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "batchtask.controller" -}}
{{- printf "%s-controller" (include "batchtask.base" .) -}}
{{- end -}}

{{- define "batchtask.serviceAccount" -}}
{{- $made := ternary (include "batchtask.controller" .) "default" .Values.serviceAccount.create -}}
{{- default $made .Values.serviceAccount.name -}}
{{- end -}}

{{- define "batchtask.leaseNamespace" -}}
{{- default .Release.Namespace .Values.settings.leaseNamespace -}}
{{- end -}}

{{- define "batchtask.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "batchtask.labels" -}}
{{- with .Values.commonLabels }}{{ toYaml . }}
{{ end -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{/* What the controller's pods are chosen by; it can't change between two versions. */}}
{{- define "batchtask.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* Each of `settings` that is set, as the variable of the same name. */}}
{{- define "batchtask.env" -}}
{{- $made := dict "leaseName" (include "batchtask.controller" .) "leaseNamespace" (include "batchtask.leaseNamespace" .) -}}
{{- range $name := keys .Values.settings | concat (keys $made) | uniq | sortAlpha }}
{{- $value := index $.Values.settings $name }}
{{- if kindIs "invalid" $value }}{{ $value = index $made $name }}{{ end }}
{{- if kindIs "slice" $value }}{{ $value = join "," $value }}{{ end }}
{{- if kindIs "map" $value }}{{ $value = toJson $value }}{{ end }}
{{- if not (kindIs "invalid" $value) }}
- name: BATCHTASK_{{ snakecase $name | upper }}
  value: {{ toString $value | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The pod of a hook: one command of the controller's image, under an account of its own. */}}
{{- define "batchtask.hookPodSpec" -}}
{{- $root := .root -}}
serviceAccountName: {{ include "batchtask.base" $root }}-{{ .name }}
restartPolicy: Never
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "batchtask.image" $root }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: {{ toJson .command }}
    env:
      {{- include "batchtask.env" $root | trim | nindent 6 }}
    {{- with $root.Values.securityContext }}
    securityContext:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      requests: {cpu: 100m, memory: 128Mi}
      limits: {memory: 512Mi}
{{- end -}}

{{/* The namespaces of a scope that a grant of files/rbac.yaml names; none: in all of them. */}}
{{- define "batchtask.namespacesOf" -}}
{{- if eq .grant.scope "system" -}}
{{- toJson (list (include "batchtask.leaseNamespace" .root)) -}}
{{- else if and (eq .grant.scope "tasks") (hasKey (dict "scheduler" 1 "apiServer" 1) .grant.account) -}}
{{- toJson (list .root.Values.airflow.tasksNamespace) -}}
{{- else if eq .grant.scope "tasks" -}}
{{- toJson .root.Values.settings.namespaces -}}
{{- else -}}
{{- toJson (list "") -}}
{{- end -}}
{{- end -}}

{{/* The subject that an account of files/rbac.yaml stands for. */}}
{{- define "batchtask.subject" -}}
{{- $values := .root.Values -}}
kind: ServiceAccount
{{- if hasKey (dict "scheduler" 1 "apiServer" 1) .account }}
name: {{ (index $values.airflow .account).serviceAccount }}
namespace: {{ $values.airflow.namespace }}
{{- else }}
name: {{ ternary (include "batchtask.serviceAccount" .root) (printf "%s-%s" (include "batchtask.base" .root) .account) (eq .account "controller") }}
namespace: {{ .root.Release.Namespace }}
{{- end }}
{{- end -}}

{{/* The role and the binding of one grant of files/rbac.yaml, once in each of its namespaces. */}}
{{- define "batchtask.grant" -}}
{{- $root := .root -}}{{- $grant := .grant -}}
{{- $name := printf "%s-%s" (include "batchtask.base" $root) $grant.name -}}
{{- range $namespace := include "batchtask.namespacesOf" . | fromJsonArray }}
{{- $kind := ternary "Role" "ClusterRole" (ne $namespace "") }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "batchtask.labels" $root | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  {{- toYaml $grant.rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
metadata:
  name: {{ $name }}
  {{- with $namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- include "batchtask.labels" $root | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ $name }}
subjects:
  - {{ include "batchtask.subject" (dict "root" $root "account" $grant.account) | nindent 4 | trim }}
{{- end }}
{{- end -}}
