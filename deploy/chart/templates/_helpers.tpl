{{/* The release's name, unless it has the chart's in it already. */}}
{{- define "outhook.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the pods of all roles; never changes for a release. */}}
{{- define "outhook.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What is deployed. */}}
{{- define "outhook.version" -}}
{{- default .Chart.AppVersion .Values.image.tag -}}
{{- end -}}

{{/* Those of pods: another chart alone does not replace them. */}}
{{- define "outhook.podLabels" -}}
{{ include "outhook.selector" . }}
app.kubernetes.io/version: {{ include "outhook.version" . | trunc 63 | regexFind ".*[A-Za-z0-9]" | quote }}
{{- end -}}

{{- define "outhook.labels" -}}
{{ include "outhook.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "outhook.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ include "outhook.version" $ }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end -}}

{{- define "outhook.serviceAccount" -}}
{{- default (ternary (include "outhook.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "outhook.config" -}}
{{ toYaml .Values.config }}
{{- end -}}

{{/* The port of an address such as :8080. */}}
{{- define "outhook.port" -}}
{{ splitList ":" . | last }}
{{- end -}}

{{/* A duration of Go, such as 1m30s, in whole seconds, rounded up. */}}
{{- define "outhook.seconds" -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[hms]+" . -1 -}}
{{- $unit := regexFind "[hms]+$" . -}}
{{- $sum = addf $sum (mulf (trimSuffix $unit . | float64) (get (dict "h" 3600.0 "m" 60.0 "s" 1.0 "ms" 0.001) $unit)) -}}
{{- end -}}
{{- ceil $sum -}}
{{- end -}}

{{/* Nine tenths of a memory limit in whole Mi or Gi. */}}
{{- define "outhook.goMemLimit" -}}
{{- $mebibytes := ternary (regexFind "^[0-9]+" . | int | mul 1024) (regexFind "^[0-9]+" . | int) (hasSuffix "Gi" .) -}}
{{ div (mul $mebibytes 9) 10 }}MiB
{{- end -}}
