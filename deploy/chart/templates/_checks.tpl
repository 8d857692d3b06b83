{{/* Refuses what does not fit together, beyond what values.schema.json can say. */}}
{{- define "outhook.check" -}}
{{- range $role := list "api" "worker" -}}
{{- with (get $.Values $role).autoscaling -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "%s.autoscaling: minReplicas must not be more than maxReplicas" $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.worker.autoscaling.enabled .Values.worker.keda.enabled -}}
{{- fail "worker.autoscaling.enabled, worker.keda.enabled: only one of them may be true, as each would scale the same pods" -}}
{{- end -}}
{{- with .Values.worker.keda -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail "worker.keda: minReplicas must not be more than maxReplicas" -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.api.enabled .Values.worker.enabled) -}}
{{- fail "api.enabled, worker.enabled: one of them must be true" -}}
{{- end -}}
{{- if eq (include "outhook.port" .Values.config.http.listen) (include "outhook.port" .Values.config.admin.listen) -}}
{{- fail "config.http.listen and config.admin.listen must be two ports" -}}
{{- end -}}
{{- if le (include "outhook.seconds" .Values.config.shutdown.grace | int) 37 -}}
{{- fail "config.shutdown.grace: must be more than 37s: an attempt may take 30s and its task a little longer, and the workers wait for both" -}}
{{- end -}}
{{- $least := add (include "outhook.seconds" .Values.config.shutdown.delay | int) (include "outhook.seconds" .Values.config.shutdown.grace | int) -}}
{{- if le (int .Values.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds: must be more than config.shutdown.delay + config.shutdown.grace, which are %d s" $least) -}}
{{- end -}}
{{- end -}}
