{{- define "serving.labels" -}}
app.kubernetes.io/name: ratchet
app.kubernetes.io/part-of: ratchet
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "serving.selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: engine
{{- end -}}

{{- define "serving.edgeSelector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: edge
{{- end -}}

{{- define "serving.feedbackSelector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: feedback
{{- end -}}

{{- define "serving.exporterSelector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: exporter
{{- end -}}

{{- /* Who may ask, and for a NodePort a port that stays: of the edge where there is one, else of the engines. */ -}}
{{- define "serving.users" -}}
{{ toYaml .Values.networkPolicies.users }}
{{- if ne .Values.service.type "ClusterIP" }}
- ipBlock: {cidr: 0.0.0.0/0}
{{- end }}
{{- end -}}

{{- define "serving.nodePort" -}}
{{- if and (eq .Values.service.type "NodePort") .Values.service.nodePort -}}
nodePort: {{ .Values.service.nodePort }}
{{- end -}}
{{- end -}}

{{- define "serving.edgeImage" -}}
{{ .Values.image.prefix }}/ops:{{ .Values.image.tag | default (printf "%s-%s" .Chart.AppVersion .Values.device) }}
{{- end -}}

{{- define "serving.image" -}}
{{ .Values.image.prefix }}/serve:{{ .Values.image.tag | default (printf "%s-%s" .Chart.AppVersion .Values.device) }}
{{- end -}}

{{- define "serving.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}
