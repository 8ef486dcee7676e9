// Copyright (c) 2026, the gatehouse.salesforce authors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package com.salesforce.dataloader.process;

import java.util.Map;

/** As much of Data Loader's class as Spring needs to see. */
public class ProcessRunner {
    private Map<String, String> overrides;

    public void setConfigOverrideMap(Map<String, String> overrides) {
        this.overrides = overrides;
    }

    public Map<String, String> getConfigOverrideMap() {
        return overrides;
    }
}
