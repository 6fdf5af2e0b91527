/* An FMI 2.0 model for model exchange with a known solution: x' = -k x, x(0) = 1, so x(t) = exp(-k t); n(t) counts whole
 * times 0.25 as a discrete variable that time events change. It logs and fails where k is negative. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "fmi2Functions.h"

typedef struct {
    double x, k, t;
    int n;
    char name[64];
    fmi2CallbackFunctions functions;
} Model;

const char *fmi2GetTypesPlatform(void) { return fmi2TypesPlatform; }
const char *fmi2GetVersion(void) { return fmi2Version; }

fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String guid, fmi2String resources,
                              const fmi2CallbackFunctions *functions, fmi2Boolean visible, fmi2Boolean logging) {
    (void)type, (void)guid, (void)resources, (void)visible, (void)logging;
    Model *m = calloc(1, sizeof(Model));
    m->x = 1, m->k = 1;
    strncpy(m->name, name, sizeof(m->name) - 1);
    m->functions = *functions;
    return m;
}
void fmi2FreeInstance(fmi2Component c) { free(c); }
fmi2Status fmi2SetDebugLogging(fmi2Component c, fmi2Boolean on, size_t n, const fmi2String categories[]) {
    (void)c, (void)on, (void)n, (void)categories;
    return fmi2OK;
}
fmi2Status fmi2SetupExperiment(fmi2Component c, fmi2Boolean has_tolerance, fmi2Real tolerance, fmi2Real start,
                               fmi2Boolean has_stop, fmi2Real stop) {
    (void)has_tolerance, (void)tolerance, (void)has_stop, (void)stop;
    ((Model *)c)->t = start;
    return fmi2OK;
}
fmi2Status fmi2EnterInitializationMode(fmi2Component c) { (void)c; return fmi2OK; }
fmi2Status fmi2ExitInitializationMode(fmi2Component c) {
    Model *m = c;
    if (m->k >= 0) return fmi2OK;
    m->functions.logger(m->functions.componentEnvironment, m->name, fmi2Error, "logStatusError", "k must not be negative");
    return fmi2Error;
}
fmi2Status fmi2Terminate(fmi2Component c) { (void)c; return fmi2OK; }
fmi2Status fmi2Reset(fmi2Component c) { (void)c; return fmi2OK; }
fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Real value[]) {
    Model *m = c;
    for (size_t i = 0; i < n; i++) value[i] = vr[i] == 0 ? m->x : vr[i] == 1 ? -m->k * m->x : m->k;
    return fmi2OK;
}
fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t n, const fmi2Real value[]) {
    Model *m = c;
    for (size_t i = 0; i < n; i++) *(vr[i] == 0 ? &m->x : &m->k) = value[i];
    return fmi2OK;
}
fmi2Status fmi2GetInteger(fmi2Component c, const fmi2ValueReference vr[], size_t n, fmi2Integer value[]) {
    (void)vr;
    for (size_t i = 0; i < n; i++) value[i] = ((Model *)c)->n;
    return fmi2OK;
}
fmi2Status fmi2SetTime(fmi2Component c, fmi2Real t) { ((Model *)c)->t = t; return fmi2OK; }
fmi2Status fmi2SetContinuousStates(fmi2Component c, const fmi2Real x[], size_t n) {
    (void)n;
    ((Model *)c)->x = x[0];
    return fmi2OK;
}
fmi2Status fmi2GetContinuousStates(fmi2Component c, fmi2Real x[], size_t n) {
    (void)n;
    x[0] = ((Model *)c)->x;
    return fmi2OK;
}
fmi2Status fmi2GetDerivatives(fmi2Component c, fmi2Real d[], size_t n) {
    (void)n;
    d[0] = -((Model *)c)->k * ((Model *)c)->x;
    return fmi2OK;
}
fmi2Status fmi2GetNominalsOfContinuousStates(fmi2Component c, fmi2Real x[], size_t n) {
    (void)c, (void)n;
    x[0] = 1;
    return fmi2OK;
}
fmi2Status fmi2GetEventIndicators(fmi2Component c, fmi2Real z[], size_t n) { (void)c, (void)z, (void)n; return fmi2OK; }
fmi2Status fmi2EnterEventMode(fmi2Component c) { (void)c; return fmi2OK; }
fmi2Status fmi2EnterContinuousTimeMode(fmi2Component c) { (void)c; return fmi2OK; }
fmi2Status fmi2NewDiscreteStates(fmi2Component c, fmi2EventInfo *info) {
    Model *m = c;
    m->n = (int)floor(m->t / 0.25 + 1e-9);
    memset(info, 0, sizeof(*info));
    info->nextEventTimeDefined = fmi2True;
    info->nextEventTime = 0.25 * (m->n + 1);
    return fmi2OK;
}
fmi2Status fmi2CompletedIntegratorStep(fmi2Component c, fmi2Boolean no_set, fmi2Boolean *enter, fmi2Boolean *end) {
    (void)c, (void)no_set;
    *enter = *end = fmi2False;
    return fmi2OK;
}

/* What the standard wants to be there and this model cannot do. */
#define UNSUPPORTED(name, ...) fmi2Status name(fmi2Component c, __VA_ARGS__) { (void)c; return fmi2Error; }
UNSUPPORTED(fmi2GetBoolean, const fmi2ValueReference vr[], size_t n, fmi2Boolean value[])
UNSUPPORTED(fmi2GetString, const fmi2ValueReference vr[], size_t n, fmi2String value[])
UNSUPPORTED(fmi2SetInteger, const fmi2ValueReference vr[], size_t n, const fmi2Integer value[])
UNSUPPORTED(fmi2SetBoolean, const fmi2ValueReference vr[], size_t n, const fmi2Boolean value[])
UNSUPPORTED(fmi2SetString, const fmi2ValueReference vr[], size_t n, const fmi2String value[])
UNSUPPORTED(fmi2GetFMUstate, fmi2FMUstate *state)
UNSUPPORTED(fmi2SetFMUstate, fmi2FMUstate state)
UNSUPPORTED(fmi2FreeFMUstate, fmi2FMUstate *state)
UNSUPPORTED(fmi2SerializedFMUstateSize, fmi2FMUstate state, size_t *size)
UNSUPPORTED(fmi2SerializeFMUstate, fmi2FMUstate state, fmi2Byte bytes[], size_t size)
UNSUPPORTED(fmi2DeSerializeFMUstate, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state)
UNSUPPORTED(fmi2GetDirectionalDerivative, const fmi2ValueReference of[], size_t n, const fmi2ValueReference by[],
            size_t m, const fmi2Real seed[], fmi2Real value[])
