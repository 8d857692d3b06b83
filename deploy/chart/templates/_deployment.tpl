{{/* The Deployment of a role. Takes a dict of root, the whole context, and role: "api" or "worker". */}}
{{- define "outhook.deployment" -}}
{{- $is := get .root.Values .role -}}
{{- with .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "outhook.fullname" . }}-{{ $.role }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "outhook.labels" . | nindent 4 }}
    app.kubernetes.io/component: {{ $.role }}
spec:
  {{- if not (or $is.autoscaling.enabled (and $is.keda $is.keda.enabled)) }}
  replicas: {{ int $is.replicas }}
  {{- end }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  selector:
    matchLabels:
      {{- include "outhook.selector" . | nindent 6 }}
      app.kubernetes.io/component: {{ $.role }}
  template:
    metadata:
      labels:
        {{- with $is.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "outhook.podLabels" . | nindent 8 }}
        app.kubernetes.io/component: {{ $.role }}
      annotations:
        {{- with $is.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        # The program reads its file once: another file is another pod.
        checksum/config: {{ include "outhook.config" . | sha256sum }}
    spec:
      {{- include "outhook.pod" (dict "root" . "is" $is) | nindent 6 }}
      containers:
        - {{ include "outhook.container" (dict "root" . "is" $is "role" $.role) | indent 10 | trim }}
{{- end -}}
{{- end -}}

{{/* What a pod has beside its container. */}}
{{- define "outhook.pod" -}}
{{- with .root -}}
serviceAccountName: {{ include "outhook.serviceAccount" . }}
automountServiceAccountToken: false
# The variables that they set begin with OUTHOOK_ for a Service of that name, and the program refuses what it does not know.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ int .Values.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  {{- with .Values.runAsUser }}
  runAsUser: {{ int . }}
  {{- end }}
  {{- with .Values.runAsGroup }}
  runAsGroup: {{ int . }}
  {{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ .topologyKey }}
    maxSkew: {{ int .maxSkew }}
    whenUnsatisfiable: {{ .whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "outhook.selector" $.root | nindent 8 }}
    matchLabelKeys: [app.kubernetes.io/component, pod-template-hash]
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with get $.is $field }}
{{ $field }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "outhook.fullname" . }}
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "outhook.container" -}}
{{- with .root -}}
name: outhook
image: {{ include "outhook.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [serve, --role, {{ $.role }}]
env:
  {{- include "outhook.environment" (dict "root" . "is" $.is) | nindent 2 }}
ports:
  {{- if eq $.role "api" }}
  - name: http
    containerPort: {{ include "outhook.port" .Values.config.http.listen }}
  {{- end }}
  - name: admin
    containerPort: {{ include "outhook.port" .Values.config.admin.listen }}
# No preStop: shutdown.delay does what it is for, and there is no shell in the image.
# Whether it runs. Redis has no say in it: a restart would cure nothing.
startupProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 2
  failureThreshold: 30
  timeoutSeconds: 2
livenessProbe:
  httpGet: {path: /healthz, port: admin}
  periodSeconds: 10
  failureThreshold: 6
  timeoutSeconds: 5
# Whether Redis answers, within 1 s, and it is not shutting down.
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  failureThreshold: 2
  timeoutSeconds: 3
resources:
  {{- toYaml $.is.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: config
    mountPath: /etc/outhook
    readOnly: true
  {{- with .Values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "outhook.environment" -}}
{{- with .root -}}
- name: OUTHOOK_CONFIG
  value: /etc/outhook/outhook.yaml
- name: OUTHOOK_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.existingSecret }}
      key: {{ .Values.secretKeys.redisURL }}
- name: OUTHOOK_SECRETS_KEYS
  valueFrom:
    secretKeyRef:
      name: {{ .Values.existingSecret }}
      key: {{ .Values.secretKeys.encryptionKeys }}
- name: OUTHOOK_AUTH_ADMIN_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .Values.existingSecret }}
      key: {{ .Values.secretKeys.adminKey }}
      optional: true
{{- with (default dict $.is.resources.limits).memory }}
- name: GOMEMLIMIT
  value: {{ include "outhook.goMemLimit" . }}
{{- end }}
{{- end -}}
{{- end -}}
