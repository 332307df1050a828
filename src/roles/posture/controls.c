/* SPDX-License-Identifier: Apache-2.0 */
/* The whitepaper, control by control. */
#include "proof.h"

#define IDENTITY  "Identity and access control"
#define DATA      "Data encryption"
#define BACKUP    "Backup and recovery"
#define NETWORK   "Network security"
#define CONTAINER "Container and compute security"
#define MODEL     "Model security"
#define MONITOR   "Monitoring and audit"
#define COMPLY    "Certification"
#define PLATFORM  "Platform"

/* clang-format off */
const struct control controls[] = {
    {"ID-1", "OAuth 2.0 and OIDC single sign-on", "OAuth2.0 与 OIDC 单点登录", IDENTITY, prove_id1},
    {"ID-2", "Role-based access control", "基于角色的访问控制", IDENTITY, prove_id2},
    {"ID-3", "Multi-factor authentication", "多因素认证", IDENTITY, prove_id3},
    {"ID-4", "API access keys", "API 访问密钥管理", IDENTITY, prove_id4},
    {"EN-1", "TLS 1.3 on every API", "传输加密：TLS 1.3", DATA, prove_en1},
    {"EN-2", "AES-256 on everything stored", "存储加密：AES-256", DATA, prove_en2},
    {"EN-3", "Key management", "密钥管理", DATA, prove_en3},
    {"BK-1", "Daily incremental and weekly full backup", "每日增量与每周完整备份", BACKUP, NULL},
    {"BK-2", "Disaster recovery", "灾难恢复与故障转移", BACKUP, NULL},
    {"BK-3", "Periodic integrity check", "数据完整性校验", BACKUP, NULL},
    {"NW-1", "East–west mutual TLS", "东西向流量安全：mTLS", NETWORK, NULL},
    {"NW-2", "North–south web application firewall", "南北向流量安全：WAF", NETWORK, prove_nw2},
    {"NW-3", "DDoS mitigation", "DDoS 防护", NETWORK, prove_nw3},
    {"NW-4", "Network policy", "防火墙策略：网络策略", NETWORK, NULL},
    {"CT-1", "Image scanning", "镜像安全扫描", CONTAINER, NULL},
    {"CT-2", "Image signatures", "镜像签名", CONTAINER, NULL},
    {"CT-3", "Pod security", "Pod 安全策略", CONTAINER, NULL},
    {"CT-4", "Sandboxed runtimes", "沙箱运行时", CONTAINER, NULL},
    {"CT-5", "Runtime threat detection", "实时威胁检测", CONTAINER, NULL},
    {"ML-1", "Model integrity", "模型完整性保护", MODEL, prove_ml1},
    {"ML-2", "Model access control", "模型访问控制", MODEL, prove_ml2},
    {"ML-3", "Inference in a sandbox", "推理安全：沙箱", MODEL, prove_ml3},
    {"ML-4", "Homomorphic encryption", "同态加密", MODEL, NULL},
    {"ML-5", "Differential privacy", "差分隐私", MODEL, NULL},
    {"ML-6", "Adversarial input detection", "对抗攻击防护", MODEL, NULL},
    {"MO-1", "OpenTelemetry", "日志采集：OpenTelemetry", MONITOR, NULL},
    {"MO-2", "Prometheus and Grafana", "监控：Prometheus 与 Grafana", MONITOR, NULL},
    {"MO-3", "SIEM with automatic alerts", "安全事件监控：SIEM", MONITOR, NULL},
    {"MO-4", "Anomaly detection with automatic response", "异常检测与自动响应", MONITOR, NULL},
    {"MO-5", "Verifiable audit of every operation", "操作审计：可验证日志", MONITOR, prove_mo5},
    {"CO-1", "ISO/IEC 27001:2022", "ISO/IEC 27001:2022", COMPLY, NULL},
    {"PF-1", "On Kubernetes", "基于 Kubernetes", PLATFORM, NULL},
    {"PF-2", "Compute leasing", "算力租赁", PLATFORM, NULL},
    {"PF-3", "Model services", "大模型服务", PLATFORM, prove_pf3},
    {"PF-4", "AI app management", "AI 应用管理", PLATFORM, NULL},
    {"PF-5", "The whitepaper that runs", "可运行的白皮书", PLATFORM, prove_pf5},
    {0},
};
/* clang-format on */
